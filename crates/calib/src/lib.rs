//! Calibration data: token sequences a model is measured on, and where they come from.
//!
//! [`collect`] turns a [`Recipe`] into a [`CalibrationSet`]: a [source](sources) gives text, which the
//! model may [write itself](synthesis) and [filter](filters), a [packing](Packing) cuts it into
//! windows of equal length, a [selection] may keep some of them, and the [`Provenance`] says how. Token
//! ids are final: nothing decodes and re-tokenises them after this point. [`judging`] says how well a
//! set suits a model.

pub mod dataset;
pub mod filters;
pub mod judging;
pub mod selection;
pub mod sources;
pub mod synthesis;

mod chat;
mod collect;
mod error;
mod mixture;
mod packing;
mod pool;
mod provenance;
mod recipe;
mod scores;
mod set;
mod spool;
mod storage;
mod tokens;
mod typicality;

pub use collect::{Workspace, collect};
pub use dataset::DatasetSettings;
pub use error::{Error, Result};
pub use filters::FilterSettings;
pub use packing::Packing;
pub use provenance::{Origin, Piece, Provenance};
pub use recipe::{Portion, Recipe};
pub use selection::SelectionSettings;
pub use set::CalibrationSet;
pub use synthesis::{ServerOptions, ServerSettings, SynthesisSettings};
