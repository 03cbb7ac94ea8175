//! Two models on the same questions.

use serde::Serialize;

use crate::figures::{picked, value};
use crate::scorer::Answer;
use crate::tasks::{Metric, Query};
use crate::{Estimate, tasks::Queries};

/// Standard errors to either side that hold 95 % of a normal distribution.
const TWO_SIDED_95: f64 = 1.959_963_984_540_054;

/// How much better the second of two models is, from the differences question by question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Second minus first; of log-likelihoods where the metric is the perplexity.
    #[serde(flatten)]
    pub difference: Estimate,
    /// The bounds between which 95 % of such measurements find it.
    pub interval: [f64; 2],
}

/// A question that one model answers rightly and the other does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// File and line.
    pub place: String,
    /// The right choice.
    pub gold: usize,
    /// The choices the models took; nothing where a model would have written something else.
    pub picked: [Option<usize>; 2],
    /// Whether it is the second model that is right.
    pub gained: bool,
}

/// The difference under a metric.
///
/// # Panics
/// When there is not one answer of each model per query.
pub fn comparison(metric: Metric, queries: &Queries, answers: [&[Answer]; 2]) -> Comparison {
    let queries = &queries.queries;
    assert!(answers.iter().all(|answers| answers.len() == queries.len()), "one answer per query");
    let difference = |(query, (first, second)): (&Query, (&Answer, &Answer))| {
        value(metric, query, second) - value(metric, query, first)
    };
    let pairs = queries.iter().zip(answers[0].iter().zip(answers[1]));
    Comparison::from(Estimate::of(&pairs.map(difference).collect::<Vec<_>>()))
}

/// The difference of the means over tasks.
pub fn mean_comparison(tasks: &[Comparison]) -> Comparison {
    let differences: Vec<_> = tasks.iter().map(|task| task.difference).collect();
    Comparison::from(Estimate::mean(&differences))
}

/// The questions that flip under a metric, in order.
pub fn flips(metric: Metric, queries: &Queries, answers: [&[Answer]; 2]) -> Vec<Flip> {
    let pairs = queries.queries.iter().zip(answers[0].iter().zip(answers[1]));
    let flip = |(query, (first, second)): (&Query, (&Answer, &Answer))| {
        let picked = [first, second].map(|answer| picked(metric, query, answer));
        let right = picked.map(|picked| picked == Some(query.gold));
        (right[0] != right[1]).then(|| Flip {
            place: query.place.to_string(),
            gold: query.gold,
            picked,
            gained: right[1],
        })
    };
    pairs.filter_map(flip).collect()
}

impl From<Estimate> for Comparison {
    fn from(difference: Estimate) -> Self {
        let reach = TWO_SIDED_95 * difference.stderr;
        let interval = [difference.value - reach, difference.value + reach];
        Self { difference, interval }
    }
}
