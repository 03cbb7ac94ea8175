//! The model writes from its beginning-of-text token, hot at first.

use lm::Observer;
use lm::generation::{Prompt, Sampling};

use super::parts::Part;
use super::{Request, Synthesis, Text, openings};
use crate::Result;

/// Tokens over which the temperature falls.
const FALLING: usize = 10;

/// The temperature of the first token.
const FIRST: f32 = 2.0;

/// Begins with the beginning-of-text token and a temperature that falls.
pub(super) struct Bos;

impl Synthesis for Bos {
    fn name(&self) -> &'static str {
        "bos"
    }

    fn summary(&self) -> &'static str {
        "from the beginning-of-text token alone, the temperature falling over the first tokens"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Every text begins with the beginning-of-text token alone. The temperature is 2 at the first token
  and falls linearly over ten tokens to that of the rest: the beginnings differ, what follows is what
  the model finds natural.

When to use it
  When no text is at hand from which prefixes could be taken, with a base model.

Parameters
  sampling: temperature 1 (after the first ten tokens), top_k 0, top_p 1, repetition_penalty 1: the
  model's own distribution. temperatures mixes several. drop_share, repetition: see the filters.

Cost
  One forward pass per token, and ten short ones more for all texts together.

Reference
  Williams, Chrysostomou and Aletras, Self-calibration for Language Model Quantization and Pruning,
  NAACL 2025: t_initial 2, t_final 1, n 10."
    }

    fn sampling(&self) -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 }
    }

    fn write(
        &self,
        request: &Request<'_>,
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let prompt = |&stream: &u64| Prompt { tokens: Vec::new(), stream };
        let prompts = request.streams.iter().map(prompt).collect();
        let steps = FALLING.min(request.length - 1);
        let parts: Vec<Part> = (0..steps).map(|step| self.step(request, step)).collect();
        openings::write(request, prompts, 0, &parts, sink, observer)
    }
}

impl Bos {
    /// One token of the beginning.
    fn step(&self, request: &Request<'_>, step: usize) -> Part {
        let last = request.sampling.temperature;
        let temperature = FIRST + (last - FIRST) * step as f32 / FALLING as f32;
        let sampling = Sampling { temperature, ..request.sampling.clone() };
        Part { sampling, mixed: false, ..request.body(1) }
    }
}
