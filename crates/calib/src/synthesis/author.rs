//! Whoever writes texts.

use lm::generation::Sampling;
use lm::scoring::Score;
use lm::{Model, Observer};

use super::{Prefixes, Request, ServerOptions, Synthesis, SynthesisSettings, Text};
use crate::{Result, scores::written};

/// Writes texts.
pub(crate) trait Author {
    /// Writes the texts `streams` and hands each over when it is finished.
    fn write(
        &self,
        streams: &[u64],
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()>;

    /// How probable the model at hand finds what was written of every text, in order.
    fn scores(&self, texts: &[&Text], observer: &dyn Observer) -> Result<Vec<Score>>;

    /// Who writes, for people.
    fn who(&self) -> String;

    /// What writing `tokens` tokens costs, for people.
    fn cost(&self, tokens: usize) -> String;
}

/// A model that writes by a strategy, or has a server write.
pub(crate) struct ModelAuthor<'a> {
    pub(crate) synthesis: &'static dyn Synthesis,
    pub(crate) model: &'a Model,
    pub(crate) settings: &'a SynthesisSettings,
    pub(crate) sampling: Sampling,
    pub(crate) prefixes: Option<&'a Prefixes>,
    pub(crate) server: Option<&'a ServerOptions>,
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
            server: self.server,
            streams,
            length: self.length,
            seed: self.seed,
            memory: self.memory,
        };
        self.synthesis.write(&request, sink, observer)
    }

    fn scores(&self, texts: &[&Text], observer: &dyn Observer) -> Result<Vec<Score>> {
        written(self.model, texts, self.memory, observer)
    }

    fn who(&self) -> String {
        match &self.settings.server {
            None => "the model writes its own calibration data".into(),
            Some(server) => format!("{} at {} writes calibration data", server.model, server.url),
        }
    }

    fn cost(&self, tokens: usize) -> String {
        self.synthesis.cost(self.model, tokens)
    }
}
