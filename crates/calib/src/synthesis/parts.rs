//! Parts of writing that strategies are made of.

use lm::Observer;
use lm::generation::{self, Event, Finish, Generated, Prompt, Sampling, Settings};

use super::{Request, Text};
use crate::{Error, Result};

/// One part of writing: texts grow by so many tokens, drawn in one way.
pub(super) struct Part {
    /// How tokens are drawn.
    pub(super) sampling: Sampling,
    /// Whether the temperatures of a mixture take the place of the sampling's.
    pub(super) mixed: bool,
    /// Tokens that are added at most.
    pub(super) tokens: usize,
    /// Tokens that end a text.
    pub(super) stop: Vec<u32>,
}

impl Request<'_> {
    /// The last part of most strategies: the sampling of the settings, up to `tokens` tokens.
    pub(super) fn body(&self, tokens: usize) -> Part {
        let stop = self.model.checkpoint().tokenizer.eos.clone();
        Part { sampling: self.sampling.clone(), mixed: true, tokens, stop }
    }

    /// Continues every prompt, and hands over what it became; in any order.
    pub(super) fn grow(
        &self,
        prompts: &[Prompt],
        part: &Part,
        sink: &mut dyn FnMut(&Prompt, Generated) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let temperatures = match part.mixed {
            true if !self.settings.temperatures.is_empty() => &self.settings.temperatures[..],
            _ => &[part.sampling.temperature],
        };
        for (place, &temperature) in temperatures.iter().enumerate() {
            let of = |prompt: &&Prompt| prompt.stream % temperatures.len() as u64 == place as u64;
            let group: Vec<Prompt> = prompts.iter().filter(of).cloned().collect();
            let sampling = Sampling { temperature, ..part.sampling.clone() };
            self.grow_alike(&group, sampling, part, sink, observer)?;
        }
        Ok(())
    }

    fn grow_alike(
        &self,
        prompts: &[Prompt],
        sampling: Sampling,
        part: &Part,
        sink: &mut dyn FnMut(&Prompt, Generated) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let settings = Settings {
            sampling,
            max_new_tokens: part.tokens,
            seed: self.seed,
            stop: part.stop.clone(),
            memory: self.memory,
            batch: None,
        };
        // The sink's own error comes back as itself, not as what generation makes of it.
        let mut failure = None;
        let mut finished = |event: Event| -> lm::Result<()> {
            let Event::Finished(generated) = event else { return Ok(()) };
            sink(&prompts[generated.prompt], generated).map_err(|error| {
                failure = Some(error);
                lm::Error::Cancelled
            })
        };
        let ran = generation::generate(self.model, prompts, &settings, &mut finished, observer);
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
    Text { stream, lead, prefix, ended, tokens: generated.tokens }
}

/// An observer of short parts: it is asked and not told.
pub(super) struct Unseen<'a>(pub(super) &'a dyn Observer);

impl Observer for Unseen<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
