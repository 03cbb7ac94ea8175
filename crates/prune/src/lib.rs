//! Pruning: which weights go, and the sweep that removes them block by block.
//!
//! Method, pattern, allocation, propagation and calibration are independent values of one
//! [`Recipe`]; [`prune`] runs it over a model and writes a checkpoint.

pub mod allocations;
pub mod choice;
pub mod methods;
pub mod refinements;
pub mod token_weights;

mod error;
mod least_squares;
mod mask;
mod normalised;
mod output;
mod pattern;
mod recipe;
mod refit;
mod skip;
mod statistics;
mod steps;
mod sweep;

pub use error::{Error, Result};
pub use mask::{Mask, Sparsity};
pub use pattern::{Pattern, Scope};
pub use recipe::{Propagation, Recipe};
pub use skip::Skip;
pub use statistics::{InputStatistics, Needs};
pub use steps::{PreparedSteps, Steps};
pub use sweep::{BlockReport, Job, LinearReport, Plan, Pruned, Trial, prune};
pub use token_weights::TokenWeights;
