//! What the commands measure of models.

mod divergence;
mod perplexity;

pub(crate) use divergence::{DivergenceFacts, Yardstick};
pub(crate) use perplexity::{Measured, Texts, protocol};
