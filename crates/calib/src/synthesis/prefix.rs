//! The model continues short prefixes of real text.

use lm::Observer;
use lm::generation::{Generated, Prompt, Sampling};

use super::parts::{self, Beginning};
use super::{Request, Synthesis, Text};
use crate::Result;

/// Continues prefixes, or the beginning-of-text token.
pub(super) struct Prefix;

impl Synthesis for Prefix {
    fn name(&self) -> &'static str {
        "prefix"
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
  prefix_file: the text; it may also be JSONL, with `field`. It may be of any size: it is read document by
  document, and its tokens wait in a temporary file once they are many. prefix_tokens: 4; the paper uses 1 to 2
  for DCLM, 4 for Llama, 8 for Qwen. sampling: temperature 0.6, top_k 50, top_p 0.95,
  repetition_penalty 1.2; temperatures mixes several. The filters `perplexity` and `repetition` drop a
  fifth of the texts, those of the highest perplexity, and those that loop.

Cost
  One forward pass per token, many texts at a time: about 2 operations per parameter and token; the
  perplexity comes with it. Finished texts are kept and never written twice.

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025."
    }

    fn sampling(&self) -> Sampling {
        Sampling::default()
    }

    fn takes_prefixes(&self) -> bool {
        true
    }

    fn write(
        &self,
        request: &Request<'_>,
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let prefix = request.settings.prefix();
        let prompts = prompts(request, &request.lead()?, prefix)?;
        let mut finished = |stream: u64, generated: Generated| {
            let lead = generated.prompt_tokens - prefix;
            sink(parts::text(stream, lead, prefix, generated))
        };
        let part = request.body(request.length - prefix);
        request.grow(&prompts, &part, &mut finished, observer)
    }
}

/// What each text begins with. An empty prompt begins with the beginning-of-text token.
fn prompts(request: &Request<'_>, lead: &[u32], prefix: usize) -> Result<Vec<Beginning>> {
    let prompt = |&stream: &u64| {
        let tokens = match request.prefixes {
            Some(source) => [lead, &source.draw(request.seed, stream, prefix)?].concat(),
            None => Vec::new(),
        };
        Ok(Beginning::from(Prompt { tokens, stream }))
    };
    request.streams.iter().map(prompt).collect()
}
