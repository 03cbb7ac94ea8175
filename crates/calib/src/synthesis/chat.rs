//! An instruction-tuned model writes a user's request and then its own answer.

use lm::generation::{Finish, Generated, Prompt, Sampling};
use lm::scoring::Score;
use lm::{Observer, Tokenizer};

use super::parts::{Beginning, Part, Unseen, text};
use super::{Request, Synthesis, Text};
use crate::{Result, chat::Template};

/// The part of a text's length that a request may take.
const REQUEST: usize = 4;

/// Writes both sides of a conversation.
pub(super) struct Chat;

impl Synthesis for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn summary(&self) -> &'static str {
        "an instruction-tuned model writes a user's request, then the answer, in its own template"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Gives the model the opening of a user's turn, as its chat template writes it, and lets it write the
  request itself; then the opening of its own turn, and lets it write the answer, until the conversation
  is as long as a window. The whole conversation, template included, is calibration data.

When to use it
  With instruction-tuned models: they are used inside their template, and text without it is not what
  they see.

Parameters
  sampling: how the answer is drawn: temperature 1, top_k 0, top_p 1, repetition_penalty 1. The request
  is always drawn at temperature 1, nothing cut off, so that requests differ; it takes a quarter of
  the length at most. temperatures mixes several for the answer.

Cost
  One forward pass per token, many texts at a time; the request is read once more before the answer.
  Conversations end by themselves, so many fill one window.

Reference
  Xu et al., Magpie: Alignment Data Synthesis from Scratch by Prompting Aligned LLMs with Nothing, ICLR
  2025 (there the answer is greedy, which makes small models loop)."
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
        let tokenizer = &request.model.checkpoint().tokenizer;
        let frame = Template::of(tokenizer)?.frame()?;
        let opening = tokenizer.encode(&frame.opening, false)?;
        let turn = tokenizer.encode(&frame.turn, false)?;
        let asked = requests(request, &opening, &turn, sink, observer)?;
        let mut answer = |stream: u64, generated: Generated| -> Result<()> {
            sink(text(stream, 0, opening.len(), generated))
        };
        let whole = Part { longest: Some(request.length), ..request.body(request.length) };
        request.grow(&asked, &whole, &mut answer, observer)
    }
}

/// The conversations up to where the answers begin. Texts whose request is empty, or leaves no room
/// for an answer, are handed over as texts of which nothing was written.
fn requests(
    request: &Request<'_>,
    opening: &[u32],
    turn: &[u32],
    sink: &mut dyn FnMut(Text) -> Result<()>,
    observer: &dyn Observer,
) -> Result<Vec<Beginning>> {
    let prompt = |&stream: &u64| Beginning::from(Prompt { tokens: opening.to_vec(), stream });
    let prompts: Vec<Beginning> = request.streams.iter().map(prompt).collect();
    let tokenizer = &request.model.checkpoint().tokenizer;
    let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };
    let tokens = (request.length / REQUEST).max(1);
    let stop = stops(tokenizer, turn)?;
    let part = Part { sampling, mixed: false, tokens, longest: None, stop };
    let context = request.model.spec().context;
    let mut asked = Vec::new();
    let mut keep = |stream: u64, generated: Generated| -> Result<()> {
        let Generated { mut tokens, score, .. } = generated;
        if generated.finish == Finish::Stop {
            tokens.pop();
        }
        let empty = tokens.len() == opening.len();
        tokens.extend_from_slice(turn);
        if empty || tokens.len() >= context.min(request.length) {
            let prefix = tokens.len();
            let score = Score::default();
            return sink(Text { stream, lead: 0, prefix, ended: false, tokens, score });
        }
        asked.push(Beginning { prompt: Prompt { tokens, stream }, score });
        Ok(())
    };
    request.grow(&prompts, &part, &mut keep, &Unseen(observer))?;
    asked.sort_by_key(|beginning| beginning.prompt.stream);
    Ok(asked)
}

/// What ends a request: what ends a text, and the special token that the template ends it with.
fn stops(tokenizer: &Tokenizer, turn: &[u32]) -> Result<Vec<u32>> {
    let mut stops = tokenizer.eos.clone();
    if let Some(&first) = turn.first() {
        // a special token is nothing where special tokens are left out
        let special = tokenizer.decode(&[first], false)?.is_empty();
        if special && !stops.contains(&first) {
            stops.push(first);
        }
    }
    Ok(stops)
}
