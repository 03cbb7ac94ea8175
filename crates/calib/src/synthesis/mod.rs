//! Calibration text that a model writes itself: one strategy per file.
//!
//! To add a strategy, write its file and add its line to [`SYNTHESES`]. What a strategy writes is
//! saved text by text, filtered and cut into windows here, whatever the strategy.

mod author;
mod bos;
mod cache;
mod chat;
mod greedy_start;
mod journal;
mod openings;
mod parts;
mod prefix;
mod prefixes;
mod server;
mod session;
mod settings;
mod windows;

#[cfg(test)]
mod tests;

use lm::generation::Sampling;
use lm::scoring::Score;
use lm::{Model, Observer};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, scores::perplexity};

pub use prefixes::Prefixes;
pub use server::{ServerOptions, ServerSettings};
pub use settings::SynthesisSettings;

pub(crate) use author::{Author, ModelAuthor};
pub(crate) use cache::{Cache, Key, arithmetic};
pub(crate) use journal::Journal;
pub(crate) use prefixes::prefixes;
pub(crate) use session::{Session, Written, counts};

/// A text that a model wrote, the model at hand or one behind a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// Its number, which is also the number of the stream of random numbers it was drawn with.
    pub stream: u64,
    /// Special tokens it began with; they are context alone and no part of a window.
    pub lead: usize,
    /// Tokens after those that were given, not written.
    pub prefix: usize,
    /// Whether it ended by itself; its last token is then the end-of-text token.
    pub ended: bool,
    /// All of its tokens.
    pub tokens: Vec<u32>,
    /// How probable the model finds what was written, given all that is before it; nothing until the
    /// text of a server is scored.
    pub score: Score,
}

impl Text {
    /// The text without special tokens around it: what may become part of a window.
    pub fn body(&self) -> &[u32] {
        &self.tokens[self.lead..self.tokens.len() - usize::from(self.ended)]
    }

    /// Tokens of the body that the model wrote.
    pub fn written(&self) -> usize {
        self.body().len() - self.prefix
    }

    /// Its perplexity; infinite where nothing was written.
    pub(crate) fn perplexity(&self) -> f64 {
        perplexity(self.score)
    }

    /// Whether it is known how probable the model finds it.
    pub(crate) fn is_scored(&self) -> bool {
        self.score.tokens > 0 || self.written() == 0
    }

    /// Whether its parts fit into it and its tokens into a vocabulary.
    pub(crate) fn is_sound(&self, vocabulary: usize) -> bool {
        let parts = [self.lead, self.prefix, usize::from(self.ended)];
        let needed = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(*part));
        needed.is_some_and(|needed| needed <= self.tokens.len())
            && self.score.tokens <= self.tokens.len()
            && self.tokens.iter().all(|token| (*token as usize) < vocabulary)
    }
}

/// What is to be written.
pub struct Request<'a> {
    /// The model that writes.
    pub model: &'a Model,
    /// How.
    pub settings: &'a SynthesisSettings,
    /// How tokens are drawn, where the strategy says nothing else.
    pub sampling: Sampling,
    /// The text that prefixes are taken from, where there is one.
    pub prefixes: Option<&'a Prefixes>,
    /// How a server is spoken to; the defaults, without a key, where absent.
    pub server: Option<&'a ServerOptions>,
    /// The numbers of the texts.
    pub streams: &'a [u64],
    /// Tokens of a text at most, its prefix counted and special tokens not.
    pub length: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Bytes of memory that may be taken.
    pub memory: Option<u64>,
}

/// A way to have a model write text.
pub trait Synthesis: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// How tokens are drawn unless the settings say otherwise: as in the strategy's reference.
    fn sampling(&self) -> Sampling;

    /// Whether texts may begin with prefixes of a file.
    fn takes_prefixes(&self) -> bool {
        false
    }

    /// Whether a server writes, not the model at hand.
    fn asks_a_server(&self) -> bool {
        false
    }

    /// What writing `tokens` tokens costs, for people.
    fn cost(&self, model: &Model, tokens: usize) -> String {
        let parameters = model.spec().parameters() as f64;
        let operations = 2.0 * parameters * tokens as f64;
        format!(
            "{:.1} TFLOP (writing with {:.1} million parameters)",
            operations / 1e12,
            parameters / 1e6
        )
    }

    /// Writes the texts that are asked for and hands each over when it is finished, in any order. A
    /// text depends on the model, the settings, the length, the seed and its number alone; that of a server
    /// on what the server makes of them.
    ///
    /// # Errors
    /// When the settings do not fit the model, it does not fit the memory, a server fails, `sink` fails
    /// or the observer cancels.
    fn write(
        &self,
        request: &Request<'_>,
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()>;
}

/// Every strategy, in the order they are listed to users.
pub const SYNTHESES: &[&dyn Synthesis] =
    &[&prefix::Prefix, &bos::Bos, &greedy_start::GreedyStart, &chat::Chat, &server::Server];

/// The strategy called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Synthesis> {
    let find = SYNTHESES.iter().copied().find(|synthesis| synthesis.name() == name);
    find.ok_or_else(|| Error::Unknown {
        kind: "synthesis",
        name: name.into(),
        known: SYNTHESES.iter().map(|entry| entry.name()).collect::<Vec<_>>().join(", "),
    })
}
