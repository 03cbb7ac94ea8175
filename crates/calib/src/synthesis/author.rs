//! Whoever writes texts.

use lm::generation::Sampling;
use lm::{Model, Observer};

use super::{Request, Synthesis, SynthesisSettings, Text};
use crate::Result;

/// Writes texts.
pub(crate) trait Author {
    /// Writes the texts `streams` and hands each over when it is finished.
    fn write(
        &self,
        streams: &[u64],
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()>;

    /// What writing `tokens` tokens costs, for people.
    fn cost(&self, tokens: usize) -> String;
}

/// A model that writes by a strategy.
pub(crate) struct ModelAuthor<'a> {
    pub(crate) synthesis: &'static dyn Synthesis,
    pub(crate) model: &'a Model,
    pub(crate) settings: &'a SynthesisSettings,
    pub(crate) sampling: Sampling,
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
            sampling: self.sampling.clone(),
            prefixes: self.prefixes,
            streams,
            length: self.length,
            seed: self.seed,
            memory: self.memory,
        };
        self.synthesis.write(&request, sink, observer)
    }

    fn cost(&self, tokens: usize) -> String {
        let parameters = self.model.spec().parameters() as f64;
        let operations = 2.0 * parameters * tokens as f64;
        format!(
            "{:.1} TFLOP (writing with {:.1} million parameters)",
            operations / 1e12,
            parameters / 1e6
        )
    }
}
