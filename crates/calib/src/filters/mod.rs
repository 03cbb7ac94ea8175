//! Which of the model's texts are kept: one filter per file.
//!
//! To add a filter, write its file and add its line to [`FILTERS`]. Filters run in order; each sees
//! what the ones before it kept.

mod empty;
mod perplexity;
mod repetition;

use lm::scoring::Score;
use serde::{Deserialize, Serialize};

use crate::synthesis::{SynthesisSettings, Text};

/// A text with the probability its own author gives it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The text.
    pub text: &'a Text,
    /// Its log-probability.
    pub score: Score,
}

impl Candidate<'_> {
    /// The text's perplexity; infinite where nothing of it was scored.
    pub fn perplexity(&self) -> f64 {
        if self.score.tokens == 0 { f64::INFINITY } else { self.score.perplexity() }
    }
}

/// What a filter says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes, for this reason.
    Drop(String),
}

/// Decides which texts are kept.
pub trait Filter: Sync {
    /// The name users see.
    fn name(&self) -> &'static str;

    /// What it drops, in one line.
    fn summary(&self) -> &'static str;

    /// A verdict for every text, in order.
    fn judge(&self, texts: &[&Candidate<'_>], settings: &SynthesisSettings) -> Vec<Verdict>;
}

/// Every filter, in the order they run.
pub const FILTERS: &[&dyn Filter] =
    &[&empty::Empty, &repetition::RepeatedRuns, &perplexity::Perplexity];

/// A text that was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The text's number.
    pub text: u64,
    /// The filter that dropped it.
    pub filter: String,
    /// Why.
    pub reason: String,
}

/// The texts that every filter keeps, and what became of the others.
pub(crate) fn judge<'a, 'b>(
    texts: &'a [Candidate<'b>],
    settings: &SynthesisSettings,
) -> (Vec<&'a Candidate<'b>>, Vec<Dropped>) {
    let mut kept: Vec<&Candidate<'b>> = texts.iter().collect();
    let mut dropped = Vec::new();
    for filter in FILTERS {
        let verdicts = filter.judge(&kept, settings);
        let mut verdicts = verdicts.into_iter();
        kept.retain(|candidate| match verdicts.next() {
            None | Some(Verdict::Keep) => true,
            Some(Verdict::Drop(reason)) => {
                let (text, filter) = (candidate.text.stream, filter.name().into());
                dropped.push(Dropped { text, filter, reason });
                false
            }
        });
    }
    (kept, dropped)
}
