//! Calibration data: token sequences a model is measured on, and where they come from.
//!
//! [`collect`] turns a [`Recipe`] into a [`CalibrationSet`]: a [source](sources) gives text, which the
//! model may [write itself](synthesis) and [filter](filters), a [packing](Packing) cuts it into
//! windows of equal length, and the [`Provenance`] says how. Token ids are final: nothing decodes and
//! re-tokenises them after this point.

pub mod filters;
pub mod sources;
pub mod synthesis;

mod collect;
mod error;
mod packing;
mod provenance;
mod recipe;
mod set;
mod storage;
mod tokens;

pub use collect::{Workspace, collect};
pub use error::{Error, Result};
pub use packing::Packing;
pub use provenance::{Origin, Piece, Provenance};
pub use recipe::Recipe;
pub use set::CalibrationSet;
pub use synthesis::SynthesisSettings;
