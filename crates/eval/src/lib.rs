//! Evaluation: what a model lost. Its perplexity on a text, its divergence from another model.

mod divergence;
mod error;
mod perplexity;

pub use divergence::{Divergence, divergence};
pub use error::{Error, Result};
pub use perplexity::{Perplexity, perplexity, text_of};
