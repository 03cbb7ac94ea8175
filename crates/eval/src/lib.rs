//! Evaluation: what a model lost. So far its perplexity on a text.

mod error;
mod perplexity;

pub use error::{Error, Result};
pub use perplexity::{Perplexity, perplexity, text_of};
