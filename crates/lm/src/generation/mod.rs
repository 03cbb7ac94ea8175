//! Text from a model: batched sampling with a key-value cache.
//!
//! At most [`Plan::batch`] sequences run at a time; one that ends frees its place for the next
//! prompt. What a prompt becomes depends on the model, the settings, its tokens and its stream
//! number alone: not on the prompts beside it, the batch, the memory or the number of threads.

mod engine;
mod plan;
mod sampling;

pub use plan::{Plan, plan};
pub use sampling::Sampling;

use engine::Engine;

use crate::scoring::Score;
use crate::{Model, Observer, Result};

/// What a text begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The first tokens; where there are none the text begins with the model's beginning-of-text
    /// token, or its end-of-text token where it has no other.
    pub tokens: Vec<u32>,
    /// Which random numbers it draws: they are keyed by seed, stream and position.
    pub stream: u64,
}

/// How texts are generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How a token is drawn.
    pub sampling: Sampling,
    /// Tokens added to a prompt at most. A text also ends where the model's context does.
    pub max_new_tokens: usize,
    /// Tokens a text has at most, its prompt counted; a prompt of more stays as it is. No bound where absent.
    pub longest: Option<usize>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Tokens that end a text, usually [`crate::Tokenizer::eos`].
    pub stop: Vec<u32>,
    /// Bytes that weights, key-value cache and activations may take. Where there is no bound, the
    /// cache takes no more than the larger of the weights and 4 GiB.
    pub memory: Option<u64>,
    /// Sequences that run at a time at most; 128 where nothing is said.
    pub batch: Option<usize>,
}

impl Settings {
    /// Tokens that a text with `prompt` tokens has at most, the model's context aside.
    fn asked(&self, prompt: usize) -> usize {
        let asked = prompt.saturating_add(self.max_new_tokens);
        asked.min(self.longest.unwrap_or(usize::MAX)).max(prompt)
    }
}

/// What happens while texts are generated.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A text grew.
    Token {
        /// Index of its prompt.
        prompt: usize,
        /// The new token.
        token: u32,
    },
    /// A text is finished.
    Finished(Generated),
}

/// A finished text.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Index of its prompt.
    pub prompt: usize,
    /// The whole text: what it began with, then what the model wrote, a stop token included.
    pub tokens: Vec<u32>,
    /// How many of the tokens it began with.
    pub prompt_tokens: usize,
    /// Why it ended.
    pub finish: Finish,
    /// How probable the model finds what it wrote, given all that is before it: by its own distribution,
    /// before the sampling changed it.
    pub score: Score,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model wrote a stop token; it is the last token.
    Stop,
    /// It has as many tokens as asked for.
    Length,
    /// It fills the model's context.
    Context,
}

impl Generated {
    /// What the model wrote.
    pub fn new_tokens(&self) -> &[u32] {
        &self.tokens[self.prompt_tokens..]
    }
}

/// Continues every prompt. `sink` gets tokens as they come and every text when it is finished, in
/// the order they finish; an error of the sink ends the work.
///
/// # Errors
/// When the settings are invalid, a prompt is longer than the context or holds an unknown token, the
/// model and one sequence do not fit the memory (checked before anything is loaded), a weight cannot
/// be read, a logit is not finite, the sink fails or the observer cancels.
pub fn generate(
    model: &Model,
    prompts: &[Prompt],
    settings: &Settings,
    sink: &mut dyn FnMut(Event) -> Result<()>,
    observer: &dyn Observer,
) -> Result<()> {
    let plan = plan(model, prompts, settings)?;
    if prompts.is_empty() {
        return Ok(());
    }
    let mut engine = Engine::load(model, prompts, settings, &plan, observer)?;
    observer.started("generating", plan.new_tokens);
    while engine.admit(sink, observer)? {
        observer.check()?;
        compute::awake(|| engine.step(sink, observer))?;
    }
    observer.finished();
    Ok(())
}
