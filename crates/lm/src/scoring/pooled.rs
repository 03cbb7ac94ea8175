//! What a model makes of sequences as wholes.

use compute::Matrix;

use super::chunks::{Chunk, chunks, groups};
use super::{Options, capacity, run_watched, source::Source};
use crate::{Model, Observer, Result};

/// The residual stream after the first `blocks` blocks, averaged over the tokens of every sequence but
/// its last: `[sequences, hidden]`, in `f32` of sums in `f64`. A sequence of fewer than two tokens has
/// zeros.
///
/// # Errors
/// As [`super::log_likelihoods`].
///
/// # Panics
/// When the model has fewer blocks.
pub fn pooled_states(
    model: &Model,
    sequences: &[&[u32]],
    blocks: usize,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Matrix> {
    assert!(blocks <= model.spec().blocks.len(), "{blocks} blocks of the model");
    let chunks = chunks(sequences);
    let capacity = capacity(&[model], &chunks, options)?;
    let tokens: usize = chunks.iter().map(Chunk::tokens).sum();
    observer.started("pooling", (tokens * blocks) as u64);
    let source = Source::open(model, options, observer)?;
    let mut pooled = Matrix::zeros(sequences.len(), model.spec().hidden);
    for group in groups(&chunks, capacity) {
        let group = &chunks[group];
        let states = run_watched((model, &source), group, blocks, &mut |_, _, _| {}, observer)?;
        for (chunk, state) in group.iter().zip(&states) {
            let mut first = 0;
            for (&sequence, length) in chunk.indices().iter().zip(chunk.lengths()) {
                average(state, first..first + length, pooled.row_mut(sequence));
                first += length;
            }
        }
    }
    observer.finished();
    Ok(pooled)
}

/// The mean of some rows.
fn average(state: &Matrix, rows: std::ops::Range<usize>, mean: &mut [f32]) {
    let count = rows.len() as f64;
    let mut sums = vec![0.0; mean.len()];
    compute::add_column_sums(state.view_rows(rows), &mut sums);
    mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / count) as f32);
}
