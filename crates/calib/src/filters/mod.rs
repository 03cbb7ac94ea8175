//! Which texts are kept, whatever they come from: one filter per file.
//!
//! To add a filter, write its file and add its line to [`FILTERS`]. Filters run in order; each sees
//! what the ones before it kept. Documents are judged as they are read; what a filter says of
//! probabilities is judged on the sequences drawn from them, so that its cost grows with what is asked
//! for and not with the source. Texts that the model writes are judged as wholes.

mod duplicates;
mod empty;
mod excluded;
mod length;
mod panel;
mod perplexity;
mod repetition;
mod script;
mod settings;
mod words;

use lm::scoring::Score;
use serde::{Deserialize, Serialize};

use crate::{Result, scores::perplexity};

pub use settings::{Duplicates, FilterSettings, PerplexityBand, Repetition};

pub(crate) use panel::Panel;
pub(crate) use repetition::repeated_share;

/// A text to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub text: &'a str,
    /// Its token ids, special tokens around it left out; none where no filter asked for them.
    pub tokens: &'a [u32],
    /// How many of the tokens the model wrote; nothing where no model did.
    pub written: Option<usize>,
    /// Its log-probability under the model, where that was measured.
    pub score: Option<Score>,
}

impl Passage<'_> {
    /// Perplexity under the model; infinite where nothing was scored.
    pub(crate) fn perplexity(&self) -> f64 {
        self.score.map_or(f64::INFINITY, perplexity)
    }
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The text.
    Text,
    /// The token ids.
    Tokens,
    /// The probability the model gives the tokens.
    Score,
}

/// What a filter says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes, for this reason.
    Drop(String),
}

/// A reason to leave texts out.
pub trait Filter: Sync {
    /// The name users see.
    fn name(&self) -> &'static str;

    /// What it drops, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// What it looks at.
    fn look(&self) -> Look;

    /// A judge by `settings`; nothing where they do not ask for one.
    ///
    /// # Errors
    /// When a file that the settings name cannot be read.
    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>>;
}

/// Decides which texts are kept.
pub trait Judge {
    /// A verdict for every text, in order. What was judged before may count.
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict>;

    /// Forgets what was judged before.
    fn reset(&mut self) {}
}

/// Every filter, in the order they run.
pub const FILTERS: &[&dyn Filter] = &[
    &empty::Empty,
    &length::Length,
    &script::ScriptShare,
    &excluded::Excluded,
    &duplicates::NoDuplicates,
    &repetition::RepeatedRuns,
    &perplexity::Perplexity,
];

/// A text that was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The text's number.
    pub text: u64,
    /// The filter that dropped it.
    pub filter: String,
    /// Why.
    pub reason: String,
    /// How it begins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}
