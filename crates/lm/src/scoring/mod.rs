//! How probable a model finds given tokens, and what its layers see of them.

mod chunks;
mod continuations;
mod divergence;
mod inputs;
mod moments;
mod observed;
mod pooled;
mod source;

use compute::{LinearInput, Matrix};
use serde::{Deserialize, Serialize};

use crate::{Batch, Model, Observer, Result, Spec, cost};
use chunks::{Chunk, chunks, groups, logit_rows};
use source::Source;

pub(crate) use chunks::log_probability;
pub use continuations::{Continuation, Request, continuations};
pub use divergence::{TokenDivergence, token_divergences};
pub use inputs::{InputProfile, SiteProfile};
pub use moments::TokenMoments;
pub use observed::{Observed, observe};
pub use pooled::pooled_states;

/// How sequences are scored. The scores are the same whatever is chosen here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Load one block at a time and run every sequence through it before the next, so that a model
    /// larger than memory can be scored. Otherwise all blocks are loaded once and stay.
    pub streamed: bool,
    /// Bytes that weights and activations may take; no bound where there is none.
    pub memory: Option<u64>,
}

/// How probable a sequence is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Sum of the natural logarithms of the tokens' probabilities, each given all tokens before it.
    pub sum: f64,
    /// Tokens scored.
    pub tokens: usize,
}

impl Score {
    /// The perplexity, `exp(−sum / tokens)`; not a number where no token was scored.
    pub fn perplexity(&self) -> f64 {
        (-self.sum / self.tokens as f64).exp()
    }

    /// Both scores as one: sums and tokens added.
    pub fn and(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, tokens: self.tokens + other.tokens }
    }
}

/// The score of every sequence, in order. No token is added: the first of each is context only, so
/// a sequence of fewer than two tokens scores nothing.
///
/// # Errors
/// When a token is outside the vocabulary, a weight cannot be read, the work does not fit
/// `options.memory`, or the observer cancels.
pub fn log_likelihoods(
    model: &Model,
    sequences: &[&[u32]],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Vec<Score>> {
    let sequences = token_log_probabilities(model, sequences, options, observer)?;
    let score = |tokens: &Vec<f64>| Score { sum: tokens.iter().sum(), tokens: tokens.len() };
    Ok(sequences.iter().map(score).collect())
}

/// The natural logarithm of the probability of every token but the first, given the tokens before
/// it, for every sequence: entry `i` of a sequence belongs to its token `i + 1`.
///
/// Logits are in the model's precision, the sum over the vocabulary in `f64`.
///
/// # Errors
/// As [`log_likelihoods`].
pub fn token_log_probabilities(
    model: &Model,
    sequences: &[&[u32]],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Vec<Vec<f64>>> {
    let chunks = chunks(sequences);
    let capacity = capacity(&[model], &chunks, options)?;
    let tokens: usize = chunks.iter().map(Chunk::tokens).sum();
    observer.started("scoring", (tokens * (model.spec().blocks.len() + 1)) as u64);
    let source = Source::open(model, options, observer)?;
    let mut results: Vec<Vec<f64>> = vec![Vec::new(); sequences.len()];
    for group in groups(&chunks, capacity) {
        let states = run(model, &source, &chunks[group.clone()], observer)?;
        source.with_head(model, |head| {
            let mut pairs = chunks[group].iter().zip(&states);
            pairs.try_for_each(|(chunk, state)| chunk.score(head, state, &mut results, observer))
        })?;
    }
    observer.finished();
    Ok(results)
}

/// The residual stream of every chunk after the last block, `[chunk tokens, hidden]` each.
fn run(
    model: &Model,
    source: &Source,
    chunks: &[Chunk<'_>],
    observer: &dyn Observer,
) -> Result<Vec<Matrix>> {
    let blocks = model.spec().blocks.len();
    run_watched((model, source), chunks, blocks, &mut |_, _, _| {}, observer)
}

/// The residual stream of every chunk after the first `blocks` blocks; `watch` is shown the block, the
/// stage and the input of every stage on the way, chunk after chunk.
fn run_watched(
    (model, source): (&Model, &Source),
    chunks: &[Chunk<'_>],
    blocks: usize,
    watch: &mut dyn FnMut(usize, usize, &LinearInput),
    observer: &dyn Observer,
) -> Result<Vec<Matrix>> {
    let mut states =
        chunks.iter().map(|chunk| model.embed(&chunk.inputs())).collect::<Result<Vec<_>>>()?;
    for index in 0..blocks {
        source.with_block(model, index, |block| {
            for (state, chunk) in states.iter_mut().zip(chunks) {
                observer.check()?;
                let lengths = chunk.lengths();
                let watch = |stage: usize, input: &LinearInput| watch(index, stage, input);
                let batch = &mut Batch::fresh(&lengths);
                *state = block.run_watched(std::mem::take(state), batch, watch);
                observer.advanced(chunk.tokens() as u64);
            }
            Ok(())
        })?;
    }
    Ok(states)
}

/// Tokens whose residual stream is held at a time.
///
/// # Errors
/// When not even the largest chunk fits.
fn capacity(models: &[&Model], chunks: &[Chunk<'_>], options: &Options) -> Result<usize> {
    let largest = chunks.iter().map(Chunk::tokens).max().unwrap_or(0);
    let per_token = models.iter().map(|model| (model.spec().hidden * size_of::<f32>()) as u64);
    let per_token: u64 = per_token.sum();
    let fixed = models.iter().map(|model| fixed_bytes(model, options, largest)).sum::<u64>();
    let needed = fixed + largest as u64 * per_token;
    let (what, hint) = if options.streamed {
        ("scoring block by block", "allow more memory, or score shorter windows")
    } else {
        ("scoring with all blocks loaded", "score block by block (streamed), or allow more memory")
    };
    cost::fits(what, needed, options.memory, hint)?;
    Ok(match options.memory {
        _ if !options.streamed => largest,
        None => usize::MAX,
        Some(memory) => ((memory - fixed) / per_token.max(1)) as usize,
    })
}

/// Bytes that are held beside the residual streams.
fn fixed_bytes(model: &Model, options: &Options, largest_chunk: usize) -> u64 {
    let (spec, precision): (&Spec, _) = (model.spec(), model.precision());
    let activations = largest_chunk as u64 * cost::activations_per_token(spec);
    let logits = (logit_rows(spec.vocabulary) * spec.vocabulary * size_of::<f32>()) as u64;
    if options.streamed {
        let block = cost::largest_block(spec, precision) + activations;
        let head = cost::head(spec, precision) + logits;
        cost::loading_one(spec, precision).max(block).max(head)
    } else {
        let running = cost::weights(spec, precision) + activations.max(logits);
        cost::loading_all(spec, precision).max(running)
    }
}
