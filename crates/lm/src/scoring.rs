//! How probable a model finds given tokens.

use std::ops::Range;

use compute::Matrix;
use rayon::prelude::*;

use crate::{Batch, Block, Model, Observer, OutputHead, Result, Spec, cost};

/// Tokens that run through a block at a time: enough to keep every core busy.
const CHUNK_TOKENS: usize = 2048;

/// Bytes of the logits made at a time.
const LOGIT_BYTES: usize = 32 << 20;

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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Sum of the natural logarithms of the tokens' probabilities, each given all tokens before it.
    pub sum: f64,
    /// Tokens scored: all but the first.
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
    let capacity = capacity(model, &chunks, options)?;
    let tokens: usize = chunks.iter().map(Chunk::tokens).sum();
    observer.started("scoring", (tokens * (model.spec().blocks.len() + 1)) as u64);
    let source = Source::open(model, options, observer)?;
    let mut results: Vec<Vec<f64>> = vec![Vec::new(); sequences.len()];
    for group in groups(&chunks, capacity) {
        let states = run(model, &source, &chunks[group.clone()], observer)?;
        let head = source.head(model)?;
        for (chunk, state) in chunks[group].iter().zip(states) {
            chunk.score(head.get(), &state, &mut results, observer)?;
        }
    }
    observer.finished();
    Ok(results)
}

/// Sequences that run together.
struct Chunk<'a> {
    /// Indices of the sequences, and their tokens.
    sequences: Vec<(usize, &'a [u32])>,
}

/// Where the blocks and the head come from.
enum Source {
    Resident(Vec<Block>, OutputHead),
    Streamed,
}

/// The head, loaded for now or for good.
enum Borrowed<'a> {
    Kept(&'a OutputHead),
    Loaded(Box<OutputHead>),
}

impl Borrowed<'_> {
    fn get(&self) -> &OutputHead {
        match self {
            Borrowed::Kept(head) => head,
            Borrowed::Loaded(head) => head,
        }
    }
}

impl Source {
    fn open(model: &Model, options: &Options, observer: &dyn Observer) -> Result<Self> {
        if options.streamed {
            return Ok(Source::Streamed);
        }
        Ok(Source::Resident(model.blocks(observer)?, model.head()?))
    }

    fn head<'a>(&'a self, model: &Model) -> Result<Borrowed<'a>> {
        Ok(match self {
            Source::Resident(_, head) => Borrowed::Kept(head),
            Source::Streamed => Borrowed::Loaded(Box::new(model.head()?)),
        })
    }

    /// Runs `step` on block `index`.
    fn with_block<T>(
        &self,
        model: &Model,
        index: usize,
        step: impl FnOnce(&Block) -> Result<T>,
    ) -> Result<T> {
        match self {
            Source::Resident(blocks, _) => step(&blocks[index]),
            Source::Streamed => step(&model.block(index)?),
        }
    }
}

/// The residual stream of every chunk after the last block, `[chunk tokens, hidden]` each.
fn run(
    model: &Model,
    source: &Source,
    chunks: &[Chunk<'_>],
    observer: &dyn Observer,
) -> Result<Vec<Matrix>> {
    let mut states =
        chunks.iter().map(|chunk| model.embed(&chunk.inputs())).collect::<Result<Vec<_>>>()?;
    for index in 0..model.spec().blocks.len() {
        source.with_block(model, index, |block| {
            for (state, chunk) in states.iter_mut().zip(chunks) {
                observer.check()?;
                let lengths = chunk.lengths();
                *state = block.run(std::mem::take(state), &mut Batch::fresh(&lengths));
                observer.advanced(chunk.tokens() as u64);
            }
            Ok(())
        })?;
    }
    Ok(states)
}

impl Chunk<'_> {
    /// Tokens that run: the last of a sequence predicts nothing that is scored.
    fn tokens(&self) -> usize {
        self.sequences.iter().map(|(_, tokens)| tokens.len() - 1).sum()
    }

    fn lengths(&self) -> Vec<usize> {
        self.sequences.iter().map(|(_, tokens)| tokens.len() - 1).collect()
    }

    fn inputs(&self) -> Vec<u32> {
        let inputs = self.sequences.iter().flat_map(|(_, tokens)| &tokens[..tokens.len() - 1]);
        inputs.copied().collect()
    }

    /// The sequence and the target of every row.
    fn targets(&self) -> Vec<(usize, u32)> {
        let of = |&(index, tokens): &(usize, &[u32])| {
            tokens[1..].iter().map(|&token| (index, token)).collect::<Vec<_>>()
        };
        self.sequences.iter().flat_map(of).collect()
    }

    /// Adds the log-probability of every target to its sequence's results, some rows at a time.
    fn score(
        &self,
        head: &OutputHead,
        state: &Matrix,
        results: &mut [Vec<f64>],
        observer: &dyn Observer,
    ) -> Result<()> {
        let targets = self.targets();
        let step = logit_rows(head.vocabulary());
        for start in (0..targets.len()).step_by(step) {
            observer.check()?;
            let targets = &targets[start..targets.len().min(start + step)];
            let logits = head.logits(state.view_rows(start..start + targets.len()));
            let scores: Vec<f64> = targets
                .par_iter()
                .enumerate()
                .map(|(row, &(_, token))| log_probability(logits.row(row), token as usize))
                .collect();
            for (&(sequence, _), score) in targets.iter().zip(scores) {
                results[sequence].push(score);
            }
            observer.advanced(targets.len() as u64);
        }
        Ok(())
    }
}

/// `log softmax(logits)[token]`.
fn log_probability(logits: &[f32], token: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from((logit - largest).exp())).sum();
    f64::from(logits[token] - largest) - total.ln()
}

/// Rows of logits that are made at a time.
fn logit_rows(vocabulary: usize) -> usize {
    (LOGIT_BYTES / (vocabulary.max(1) * size_of::<f32>())).clamp(8, CHUNK_TOKENS)
}

/// The sequences that have something to score, in order, some at a time.
fn chunks<'a>(sequences: &[&'a [u32]]) -> Vec<Chunk<'a>> {
    let mut chunks: Vec<Chunk<'a>> = Vec::new();
    for (index, &tokens) in sequences.iter().enumerate().filter(|(_, tokens)| tokens.len() > 1) {
        match chunks.last_mut() {
            Some(chunk) if chunk.tokens() + tokens.len() - 1 <= CHUNK_TOKENS => {
                chunk.sequences.push((index, tokens));
            }
            _ => chunks.push(Chunk { sequences: vec![(index, tokens)] }),
        }
    }
    chunks
}

/// Tokens whose residual stream is held at a time.
///
/// # Errors
/// When not even the largest chunk fits.
fn capacity(model: &Model, chunks: &[Chunk<'_>], options: &Options) -> Result<usize> {
    let spec = model.spec();
    let largest = chunks.iter().map(Chunk::tokens).max().unwrap_or(0);
    let per_token = (spec.hidden * size_of::<f32>()) as u64;
    let fixed = fixed_bytes(model, options, largest);
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
    let weights = if options.streamed {
        cost::largest_block(spec, precision).max(cost::head(spec, precision))
    } else {
        cost::weights(spec, precision)
    };
    let activations = largest_chunk as u64 * cost::activations_per_token(spec);
    let logits = (logit_rows(spec.vocabulary) * spec.vocabulary * size_of::<f32>()) as u64;
    weights + cost::loading(spec).max(activations + logits)
}

/// Consecutive chunks of at most `capacity` tokens together, at least one chunk each.
fn groups(chunks: &[Chunk<'_>], capacity: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (index, tokens) in chunks.iter().map(Chunk::tokens).enumerate() {
        match groups.last_mut() {
            Some(group) if held + tokens <= capacity => group.end = index + 1,
            _ => {
                groups.push(index..index + 1);
                held = 0;
            }
        }
        held += tokens;
    }
    groups
}
