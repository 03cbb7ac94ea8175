//! What the commands measure of models.

mod divergence;
mod perplexity;
mod task_table;
mod tasks;

pub(crate) use divergence::{DivergenceFacts, Yardstick};
pub(crate) use perplexity::{Measured, Texts, protocol};
pub(crate) use tasks::{Suite, TaskFacts};
