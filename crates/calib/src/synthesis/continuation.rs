//! The model continues short prefixes of real text.

use compute::{Stream, mix};
use lm::Observer;
use lm::generation::{self, Event, Finish, Generated, Prompt, Settings};

use super::{Request, Synthesis, Text};
use crate::{Error, Result};

/// Keys the places of prefixes apart from the draws of tokens.
const PLACES: u64 = 0x7072_6566_6978;

/// Continues prefixes, or the beginning-of-text token.
pub(super) struct Continuation;

impl Synthesis for Continuation {
    fn name(&self) -> &'static str {
        "continuation"
    }

    fn summary(&self) -> &'static str {
        "the model continues a few tokens of real text, or its beginning-of-text token"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Takes a few tokens at random places of a text file and lets the model continue them until a text
  has as many tokens as a window, or ends by itself. Without a file every text begins with the
  beginning-of-text token alone.

When to use it
  When the training data of the model is not at hand: its own text comes closest to it. A prefix file
  (Wikipedia, for example) makes the texts more varied.

Parameters
  prefix_file: the text; it may also be JSONL, with `field`. prefix_tokens: 4; the paper uses 1 to 2
  for DCLM, 4 for Llama, 8 for Qwen. sampling: temperature 0.6, top_k 50, top_p 0.95,
  repetition_penalty 1.2. drop_share: 0.2 of the texts, those of the highest perplexity, are dropped.
  repetition: a text is dropped where more than `share` (0.2) of its runs of `ngram` (8) tokens
  occurred in it before.

Cost
  One forward pass per token, many texts at a time, and one more to score them: about 4 operations
  per parameter and token. Finished texts are kept and never written twice.

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025."
    }

    fn write(
        &self,
        request: &Request<'_>,
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let lead = lead(request)?;
        let prefix = request.settings.prefix();
        let prompts = prompts(request, &lead, prefix);
        let settings = Settings {
            sampling: request.settings.sampling.clone(),
            max_new_tokens: request.length - prefix,
            seed: request.seed,
            stop: request.model.checkpoint().tokenizer.eos.clone(),
            memory: request.memory,
            batch: None,
        };
        // The sink's own error comes back as itself, not as what generation makes of it.
        let mut failure = None;
        let mut finished = |event: Event| -> lm::Result<()> {
            let Event::Finished(generated) = event else { return Ok(()) };
            let stream = request.streams[generated.prompt];
            sink(text(stream, prefix, generated)).map_err(|error| {
                failure = Some(error);
                lm::Error::Cancelled
            })
        };
        let ran = generation::generate(request.model, &prompts, &settings, &mut finished, observer);
        failure.map_or(ran.map_err(Error::Model), Err)
    }
}

/// The special tokens the tokenizer puts before a text, which the model is used to.
fn lead(request: &Request<'_>) -> Result<Vec<u32>> {
    let tokenizer = &request.model.checkpoint().tokenizer;
    let (around, alone) = (tokenizer.encode("a", true)?, tokenizer.encode("a", false)?);
    let place = around.windows(alone.len().max(1)).position(|window| window == alone);
    Ok(around[..place.unwrap_or(0)].to_vec())
}

/// What each text begins with. An empty prompt begins with the beginning-of-text token.
fn prompts(request: &Request<'_>, lead: &[u32], prefix: usize) -> Vec<Prompt> {
    let prompt = |&stream: &u64| {
        let tokens = request.prefixes.map_or_else(Vec::new, |source| {
            let places = Stream::new(mix(request.seed ^ PLACES), stream);
            let place = places.below(0, (source.len() - prefix + 1) as u64) as usize;
            [lead, &source[place..place + prefix]].concat()
        });
        Prompt { tokens, stream }
    };
    request.streams.iter().map(prompt).collect()
}

fn text(stream: u64, prefix: usize, generated: Generated) -> Text {
    Text {
        stream,
        lead: generated.prompt_tokens - prefix,
        prefix,
        ended: generated.finish == Finish::Stop,
        tokens: generated.tokens,
    }
}
