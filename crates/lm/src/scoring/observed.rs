//! What one forward pass shows of sequences.

use std::ops::Range;

use compute::LinearInput;

use super::chunks::{Chunk, chunks, groups};
use super::inputs::InputProfile;
use super::moments::TokenMoments;
use super::{Options, capacity, run_watched, source::Source};
use crate::{Model, Observer, Result};

/// What a model makes of sequences, and they of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Of every sequence, entry `i` speaks of its token `i + 1`, given the tokens before it.
    pub tokens: Vec<Vec<TokenMoments>>,
    /// The inputs of the model's layers over all tokens but the last of every sequence.
    pub inputs: InputProfile,
}

/// Scores every token of every sequence but the first against its own distribution, and measures the
/// inputs of every layer on the way: one forward pass.
///
/// Logits are in the model's precision, sums over the vocabulary and over the tokens in `f64`. The
/// result is the same whatever `options` and the number of threads.
///
/// # Errors
/// As [`super::log_likelihoods`], and when an input is not finite.
pub fn observe(
    model: &Model,
    sequences: &[&[u32]],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Observed> {
    let chunks = chunks(sequences);
    let capacity = capacity(&[model], &chunks, options)?;
    let tokens: usize = chunks.iter().map(Chunk::tokens).sum();
    let blocks = model.spec().blocks.len();
    observer.started("observing", (tokens * (blocks + 1)) as u64);
    let source = Source::open(model, options, observer)?;
    let mut inputs = InputProfile::new(model.spec());
    let mut scores = vec![Vec::new(); sequences.len()];
    for group in groups(&chunks, capacity) {
        let group = &chunks[group];
        let mut watch = |block, stage, input: &LinearInput| inputs.add(block, stage, input);
        let states = run_watched((model, &source), group, blocks, &mut watch, observer)?;
        source.with_head(model, |head| {
            group.iter().zip(&states).try_for_each(|(chunk, state)| {
                let logits = |rows: Range<usize>| [head.logits(state.view_rows(rows))];
                let measure = |[logits]: [&[f32]; 1], token| TokenMoments::of(logits, token);
                chunk.each(head.vocabulary(), logits, measure, &mut scores, observer)
            })
        })?;
    }
    inputs.tokens = tokens as u64;
    inputs.check()?;
    observer.finished();
    Ok(Observed { tokens: scores, inputs })
}
