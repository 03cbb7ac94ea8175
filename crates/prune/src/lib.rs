//! Pruning: which weights go, and the sweep that removes them block by block.
//!
//! Method, pattern, allocation, propagation and calibration are independent values of one
//! [`Recipe`]; [`prune`] runs it over a model and writes a checkpoint.

pub mod allocations;
pub mod methods;

mod error;
mod mask;
mod output;
mod pattern;
mod recipe;
mod skip;
mod statistics;
mod sweep;

pub use error::{Error, Result};
pub use mask::{Mask, Sparsity};
pub use pattern::{Pattern, Scope};
pub use recipe::{Propagation, Recipe};
pub use skip::Skip;
pub use statistics::{InputStatistics, Needs};
pub use sweep::{BlockReport, Job, LinearReport, Plan, Pruned, prune};
