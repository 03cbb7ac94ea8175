//! Parts of writing that strategies are made of.

use lm::Observer;
use lm::generation::{self, Event, Finish, Generated, Prompt, Sampling, Settings};
use lm::scoring::Score;

use super::{Request, Text};
use crate::{Error, Result};

/// A text that goes on: its tokens so far, and the score of those the model wrote.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) prompt: Prompt,
    pub(super) score: Score,
}

/// One part of writing: texts grow by so many tokens, drawn in one way.
pub(super) struct Part {
    /// How tokens are drawn.
    pub(super) sampling: Sampling,
    /// Whether the temperatures of a mixture take the place of the sampling's.
    pub(super) mixed: bool,
    /// Tokens that are added at most.
    pub(super) tokens: usize,
    /// Tokens that a text has at most then.
    pub(super) longest: Option<usize>,
    /// Tokens that end a text.
    pub(super) stop: Vec<u32>,
}

impl Request<'_> {
    /// The last part of most strategies: the sampling of the settings, up to `tokens` tokens.
    pub(super) fn body(&self, tokens: usize) -> Part {
        let stop = self.model.checkpoint().tokenizer.eos.clone();
        Part { sampling: self.sampling.clone(), mixed: true, tokens, longest: None, stop }
    }

    /// Continues every text, and hands over what it became, its score that of all it has; in any order.
    pub(super) fn grow(
        &self,
        beginnings: &[Beginning],
        part: &Part,
        sink: &mut dyn FnMut(u64, Generated) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let temperatures = match part.mixed {
            true if !self.settings.temperatures.is_empty() => &self.settings.temperatures[..],
            _ => &[part.sampling.temperature],
        };
        for (place, &temperature) in temperatures.iter().enumerate() {
            let of = |beginning: &&Beginning| {
                beginning.prompt.stream % temperatures.len() as u64 == place as u64
            };
            let group: Vec<&Beginning> = beginnings.iter().filter(of).collect();
            let sampling = Sampling { temperature, ..part.sampling.clone() };
            self.grow_alike(&group, sampling, part, sink, observer)?;
        }
        Ok(())
    }

    fn grow_alike(
        &self,
        beginnings: &[&Beginning],
        sampling: Sampling,
        part: &Part,
        sink: &mut dyn FnMut(u64, Generated) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let settings = Settings {
            sampling,
            max_new_tokens: part.tokens,
            longest: part.longest,
            seed: self.seed,
            stop: part.stop.clone(),
            memory: self.memory,
            batch: None,
        };
        let prompts: Vec<Prompt> = beginnings.iter().map(|one| one.prompt.clone()).collect();
        // The sink's own error comes back as itself, not as what generation makes of it.
        let mut failure = None;
        let mut finished = |event: Event| -> lm::Result<()> {
            let Event::Finished(mut generated) = event else { return Ok(()) };
            let beginning = beginnings[generated.prompt];
            generated.score = beginning.score.and(generated.score);
            sink(beginning.prompt.stream, generated).map_err(|error| {
                failure = Some(error);
                lm::Error::Cancelled
            })
        };
        let ran = generation::generate(self.model, &prompts, &settings, &mut finished, observer);
        failure.map_or(ran.map_err(Error::Model), Err)
    }

    /// The special tokens the tokenizer puts before a text, which the model is used to.
    pub(super) fn lead(&self) -> Result<Vec<u32>> {
        let tokenizer = &self.model.checkpoint().tokenizer;
        let (around, alone) = (tokenizer.encode("a", true)?, tokenizer.encode("a", false)?);
        let place = around.windows(alone.len().max(1)).position(|window| window == alone);
        Ok(around[..place.unwrap_or(0)].to_vec())
    }
}

/// What was generated as a text that begins with `lead` special and `prefix` given tokens.
pub(super) fn text(stream: u64, lead: usize, prefix: usize, generated: Generated) -> Text {
    let ended = generated.finish == Finish::Stop;
    let Generated { tokens, score, .. } = generated;
    Text { stream, lead, prefix, ended, tokens, score }
}

impl From<Prompt> for Beginning {
    /// A text of which nothing was written.
    fn from(prompt: Prompt) -> Self {
        Self { prompt, score: Score::default() }
    }
}

/// An observer of short parts: it is asked and not told.
pub(super) struct Unseen<'a>(pub(super) &'a dyn Observer);

impl Observer for Unseen<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
