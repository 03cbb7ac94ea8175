//! Whoever writes texts and says how probable they are.

use lm::scoring::{self, Options, Score};
use lm::{Model, Observer};

use super::{Request, Synthesis, SynthesisSettings, Text};
use crate::Result;

/// Writes texts and says how probable they are.
pub(crate) trait Author {
    /// Writes the texts `streams` and hands each over when it is finished.
    fn write(
        &self,
        streams: &[u64],
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()>;

    /// The probability of every text.
    fn score(&self, texts: &[&[u32]], observer: &dyn Observer) -> Result<Vec<Score>>;

    /// What writing and scoring `texts` texts of up to `length` tokens costs, for people.
    fn cost(&self, texts: usize, length: usize) -> String;
}

/// A model that writes by a strategy and scores its own texts.
pub(crate) struct ModelAuthor<'a> {
    pub(crate) synthesis: &'static dyn Synthesis,
    pub(crate) model: &'a Model,
    pub(crate) settings: &'a SynthesisSettings,
    pub(crate) prefixes: Option<&'a [u32]>,
    pub(crate) length: usize,
    pub(crate) seed: u64,
    pub(crate) memory: Option<u64>,
}

impl Author for ModelAuthor<'_> {
    fn write(
        &self,
        streams: &[u64],
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let request = Request {
            model: self.model,
            settings: self.settings,
            prefixes: self.prefixes,
            streams,
            length: self.length,
            seed: self.seed,
            memory: self.memory,
        };
        self.synthesis.write(&request, sink, observer)
    }

    fn score(&self, texts: &[&[u32]], observer: &dyn Observer) -> Result<Vec<Score>> {
        let options = |streamed| Options { streamed, memory: self.memory };
        match scoring::log_likelihoods(self.model, texts, &options(false), observer) {
            // Scores are the same either way; block by block takes less memory.
            Err(lm::Error::Memory { .. }) => {
                Ok(scoring::log_likelihoods(self.model, texts, &options(true), observer)?)
            }
            scores => Ok(scores?),
        }
    }

    fn cost(&self, texts: usize, length: usize) -> String {
        let parameters = self.model.spec().parameters() as f64;
        let tokens = texts * length;
        let operations = 4.0 * parameters * tokens as f64;
        format!(
            "{texts} texts of {length} tokens, {tokens} in all, about {:.1} TFLOP (writing and scoring \
             with {:.1} million parameters)",
            operations / 1e12,
            parameters / 1e6
        )
    }
}
