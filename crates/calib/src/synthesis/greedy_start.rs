//! The model writes from a random token, greedily at first.

use compute::{Stream, mix};
use lm::Observer;
use lm::generation::{Prompt, Sampling};

use super::parts::Part;
use super::{Request, Synthesis, Text, openings};
use crate::Result;

/// Tokens that are the most probable ones.
const GREEDY: usize = 4;

/// Keys the first tokens apart from the draws of the others.
const FIRST: u64 = 0x0066_6972_7374;

/// Begins with a random token and a few greedy ones.
pub(super) struct GreedyStart;

impl Synthesis for GreedyStart {
    fn name(&self) -> &'static str {
        "greedy-start"
    }

    fn summary(&self) -> &'static str {
        "from a random token, a few most probable tokens after it, then drawn at random"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Every text begins with a token drawn from the whole vocabulary, all equally often, after the special
  tokens the tokenizer puts before a text. Four tokens are the most probable ones, so that the text
  finds its feet; the rest is drawn at random.

When to use it
  When no text is at hand from which prefixes could be taken, and the beginnings should differ more
  than the model itself would make them.

Parameters
  sampling: temperature 1, top_k 0, top_p 1, repetition_penalty 1 (for the tokens after the first
  five). temperatures mixes several. drop_share, repetition: see the filters.

Cost
  One forward pass per token, many texts at a time.

Reference
  Liu et al., LLM-QAT: Data-Free Quantization Aware Training for Large Language Models, 2023 (three to
  five greedy tokens)."
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
        let lead = request.lead()?;
        let vocabulary = request.model.checkpoint().tokenizer.vocabulary() as u64;
        let first = Stream::new(mix(request.seed ^ FIRST), 0);
        let prompt = |&stream: &u64| {
            let token = first.below(stream, vocabulary) as u32;
            Prompt { tokens: [&lead[..], &[token]].concat(), stream }
        };
        let prompts = request.streams.iter().map(prompt).collect();
        let tokens = GREEDY.min(request.length.saturating_sub(2));
        let start = Part { sampling: Sampling::greedy(), mixed: false, ..request.body(tokens) };
        let parts = if tokens == 0 { vec![] } else { vec![start] };
        openings::write(request, prompts, 1, &parts, sink, observer)
    }
}
