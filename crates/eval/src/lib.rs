//! Evaluation: what a model lost. Its answers to the questions of tasks, its perplexity on a text,
//! its divergence from another model.

pub mod records;
pub mod scorer;
pub mod tasks;

mod divergence;
mod error;
mod figures;
mod paired;
mod perplexity;

pub use divergence::{Divergence, divergence};
pub use error::{Error, Result};
pub use figures::{Estimate, Figure, PartFigure, TaskFigures};
pub use paired::{Comparison, Flip, comparison, flips, mean_comparison};
pub use perplexity::{Documents, Perplexity, Protocol, perplexity, text_of};
