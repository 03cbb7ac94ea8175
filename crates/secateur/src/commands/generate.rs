//! `secateur generate`: a prompt continued.

use std::io::IsTerminal;

use lm::generation::{self, Event, Finish, Generated, Prompt, Settings};
use lm::{Model, Tokenizer};
use serde_json::json;

use crate::options::GenerateOptions;
use crate::terminal;
use crate::{output, setup};

/// Streams the text to stdout, or prints it whole as JSON.
pub(crate) fn run(options: &GenerateOptions) -> anyhow::Result<()> {
    let streams = !options.running.json;
    // bars and a text on one terminal would disturb each other
    let shared = streams && std::io::stdout().is_terminal();
    let observer = terminal::observer(options.running.quiet || shared);
    let model = setup::model(&options.model, &*observer)?;
    let settings = settings(options, &model)?;
    let tokenizer = &model.checkpoint().tokenizer;
    let prompt = Prompt { tokens: begin(options, tokenizer)?, stream: 0 };
    let mut stream = TextStream::after(&prompt.tokens, tokenizer);
    let mut finished = None;
    let mut printed = Ok(());
    if streams {
        output::text(&options.prompt)?;
    }
    let mut sink = |event: Event| {
        match event {
            Event::Token { token, .. } if streams && printed.is_ok() => {
                printed = output::text(&stream.push(token)?);
            }
            Event::Token { .. } => {}
            Event::Finished(text) => finished = Some(text),
        }
        if printed.is_ok() { Ok(()) } else { Err(lm::Error::Cancelled) }
    };
    let generated = generation::generate(&model, &[prompt], &settings, &mut sink, &*observer);
    drop(observer);
    printed?;
    generated?;
    if streams {
        return output::text(&format!("{}\n", stream.rest()?));
    }
    let text = finished.expect("a generation without an error finishes its prompt");
    report(options, tokenizer, &text)
}

fn settings(options: &GenerateOptions, model: &Model) -> anyhow::Result<Settings> {
    Ok(Settings {
        sampling: options.sampling.sampling()?,
        max_new_tokens: options.max_tokens,
        longest: None,
        seed: options.seed,
        stop: model.checkpoint().tokenizer.eos.clone(),
        memory: options.model.memory_bytes(),
        batch: None,
    })
}

fn begin(options: &GenerateOptions, tokenizer: &Tokenizer) -> lm::Result<Vec<u32>> {
    match options.prompt.as_str() {
        "" => Ok(Vec::new()),
        prompt => tokenizer.encode(prompt, true),
    }
}

fn report(
    options: &GenerateOptions,
    tokenizer: &Tokenizer,
    text: &Generated,
) -> anyhow::Result<()> {
    let finish = match text.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Context => "context",
    };
    output::json(&json!({
        "prompt": options.prompt,
        "text": tokenizer.decode(text.new_tokens(), false)?,
        "tokens": text.new_tokens(),
        "prompt_tokens": text.prompt_tokens,
        "finish": finish,
        "perplexity": text.score.perplexity(),
        "seed": options.seed,
    }))
}

/// Tokens of the prompt that what follows is decoded with: more than a letter takes.
const LOOK_BACK: usize = 4;

/// Tokens that become text as they come: a letter may take several tokens, and a token's text may
/// depend on the one before it.
struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Tokens from here on are decoded together.
    start: usize,
    /// Tokens before this one have been printed.
    printed: usize,
}

impl<'a> TextStream<'a> {
    /// A text that goes on after `prompt`, whose last tokens say how it is spaced.
    fn after(prompt: &[u32], tokenizer: &'a Tokenizer) -> Self {
        let tokens = prompt[prompt.len().saturating_sub(LOOK_BACK)..].to_vec();
        Self { tokenizer, start: 0, printed: tokens.len(), tokens }
    }

    /// The text that `token` completes.
    fn push(&mut self, token: u32) -> lm::Result<String> {
        self.tokens.push(token);
        let text = self.rest()?;
        if text.is_empty() || text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(String::new());
        }
        self.start = self.printed;
        self.printed = self.tokens.len();
        Ok(text)
    }

    /// The text of the tokens that are not printed yet.
    fn rest(&self) -> lm::Result<String> {
        let before = self.tokenizer.decode(&self.tokens[self.start..self.printed], false)?;
        let text = self.tokenizer.decode(&self.tokens[self.start..], false)?;
        Ok(text.get(before.len()..).unwrap_or_default().to_owned())
    }
}
