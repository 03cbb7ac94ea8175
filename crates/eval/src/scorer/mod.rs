//! Who answers the questions.

mod model;
mod pair;

use serde::Serialize;

use crate::Result;
use crate::tasks::Query;

pub use model::ModelScorer;
pub(crate) use pair::PairEncoder;

/// What was found of one choice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Likelihood {
    /// Sum of the natural logarithms of the probabilities of the choice's tokens.
    pub log_likelihood: f64,
    /// Whether each of its tokens is a most probable one.
    pub greedy: bool,
}

/// What was found of all choices of a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Every choice, in order.
    pub choices: Vec<Likelihood>,
    /// Choices whose context was cut on the left to fit the model.
    pub truncated: usize,
}

/// Someone who says how probable the choices of questions are.
pub trait Scorer {
    /// The answer to every query, in order.
    ///
    /// # Errors
    /// When a choice cannot be scored; the record is named.
    fn score(&self, queries: &[&Query]) -> Result<Vec<Answer>>;
}
