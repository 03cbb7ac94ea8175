//! What a generation costs, known before anything is loaded.

use super::{Prompt, Settings};
use crate::{Error, Model, Result, cost};

/// Prompt tokens that run in one step beside the one token of every sequence.
pub(super) const PREFILL_TOKENS: usize = 512;

/// Sequences that run at a time where the settings do not say.
const BATCH: usize = 128;

/// Bytes the cache may take where there is no bound and the weights are smaller.
const CACHE_BYTES: u64 = 4 << 30;

/// What a generation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Sequences that run at a time.
    pub batch: usize,
    /// Tokens a sequence has at most, prompt and text together.
    pub longest: usize,
    /// Tokens all texts have at most, prompts not counted.
    pub new_tokens: u64,
    /// Bytes of the key-value cache when every place is taken by the longest sequence.
    pub cache_bytes: u64,
    /// Bytes of the loaded weights.
    pub weight_bytes: u64,
    /// Bytes of activations and logits.
    pub working_bytes: u64,
}

/// What [`super::generate`] would take. Reads nothing but the configuration.
///
/// # Errors
/// When the settings are invalid, a prompt is longer than the context or has nothing to begin with,
/// or the model and one sequence do not fit the memory.
pub fn plan(model: &Model, prompts: &[Prompt], settings: &Settings) -> Result<Plan> {
    settings.sampling.validate()?;
    if settings.batch == Some(0) {
        return Err(Error::Unsupported {
            what: "a batch of 0 sequences".into(),
            hint: "give 1 or more".into(),
        });
    }
    let starts = prompts.iter().enumerate();
    let lengths: Vec<usize> =
        starts.map(|(index, prompt)| length(model, index, prompt)).collect::<Result<_>>()?;
    let context = model.spec().context;
    let room = |&length: &usize| settings.asked(length).min(context) - length;
    let longest = lengths.iter().map(|length| length + room(length)).max().unwrap_or(0);
    let new_tokens = lengths.iter().map(|length| room(length) as u64).sum();
    let sizes = Sizes::of(model, longest);
    let batch = sizes.batch(settings, prompts.len())?;
    Ok(Plan {
        batch,
        longest,
        new_tokens,
        cache_bytes: batch as u64 * sizes.cache,
        weight_bytes: sizes.weights,
        working_bytes: sizes.fixed + batch as u64 * sizes.working,
    })
}

/// The tokens that prompt `index` starts with.
///
/// # Errors
/// When it has none and the model has no token to begin with.
pub(super) fn start(model: &Model, index: usize, prompt: &Prompt) -> Result<Vec<u32>> {
    if !prompt.tokens.is_empty() {
        return Ok(prompt.tokens.clone());
    }
    let tokenizer = &model.checkpoint().tokenizer;
    let first = tokenizer.bos.or(tokenizer.eos.first().copied());
    first.map(|token| vec![token]).ok_or_else(|| Error::Unsupported {
        what: format!("prompt {index}, which is empty, for a model without special tokens"),
        hint: "give at least one token to begin with".into(),
    })
}

fn length(model: &Model, index: usize, prompt: &Prompt) -> Result<usize> {
    let start = start(model, index, prompt)?;
    let rows = model.spec().vocabulary;
    if let Some(token) = start.iter().find(|&&token| token as usize >= rows) {
        let problem = format!("prompt {index} holds token {token}, there are {rows} rows");
        return Err(Error::tensor(&model.spec().embedding, problem));
    }
    let context = model.spec().context;
    if start.len() > context {
        return Err(Error::Unsupported {
            what: format!("prompt {index} of {} tokens", start.len()),
            hint: format!("the model's context is {context} tokens; shorten the prompt"),
        });
    }
    Ok(start.len())
}

/// Bytes of the parts of a generation.
struct Sizes {
    weights: u64,
    /// Most that is held before the first token.
    loading: u64,
    /// Activations of prompt tokens.
    fixed: u64,
    /// Cache of one sequence.
    cache: u64,
    /// Activations and logits of one sequence.
    working: u64,
}

impl Sizes {
    fn of(model: &Model, longest: usize) -> Self {
        let (spec, precision) = (model.spec(), model.precision());
        let activations = cost::activations_per_token(spec);
        Self {
            weights: cost::weights(spec, precision),
            loading: cost::loading_all(spec, precision),
            fixed: PREFILL_TOKENS as u64 * activations,
            cache: cost::cache(spec, longest, precision),
            working: activations + (spec.vocabulary * size_of::<f32>()) as u64,
        }
    }

    fn batch(&self, settings: &Settings, prompts: usize) -> Result<usize> {
        let most = settings.batch.unwrap_or(BATCH).min(prompts).max(1);
        let sequence = self.cache + self.working;
        let needed = self.loading.max(self.weights + self.fixed + sequence);
        let hint = "allow more memory, ask for shorter texts, or calibrate from a text file: \
                    a model larger than memory is not run for generation";
        cost::fits("generating text", needed, settings.memory, hint)?;
        let fitting = match settings.memory {
            Some(memory) => (memory - self.weights - self.fixed) / sequence.max(1),
            None => CACHE_BYTES.max(self.weights) / self.cache.max(1),
        };
        Ok((fitting as usize).clamp(1, most))
    }
}
