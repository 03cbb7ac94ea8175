//! How much attention every token receives.

use std::ops::Range;

use rayon::prelude::*;

use super::panels::{PackedHead, SequencePanels};
use super::span::{BUFFERS, Buffers, Problem};
use super::{AttentionShape, Sequence, check, tile_length};
use crate::exponential::{EXP2_FULL, exp2_falling};
use crate::kernels::{KEYS, Kernels, for_each_level};
use crate::{KernelLevel, MatrixRef, Precision};

/// Tiles of queries whose sums are held at a time: enough for all threads of any machine.
const TILES: usize = 128;

/// The attention that every token of every sequence receives: the probabilities that the causal
/// softmax gives its key, summed over all heads and all queries, `[tokens]`.
///
/// A sequence is its queries, `[tokens, heads · head_dim]`, and its keys, `[tokens, kv_heads ·
/// head_dim]`, rotated. The values of a sequence sum to `heads · tokens`. In [`Precision::Bf16`] the
/// inputs are rounded to bf16; the probabilities are in f32, their sums in f64.
///
/// Tile by tile, twice: the first time for the logarithm of each query's sum of exponentials, the
/// second time for the probabilities, of which only their sums are kept. Tiles begin at fixed
/// positions and are added in order, so nothing depends on the number of threads. A query or key that
/// is not finite makes what depends on it NaN.
///
/// # Panics
/// When the widths are not the shape's, or there are not as many keys as queries.
pub fn attention_received(
    shape: &AttentionShape,
    sequences: &[(MatrixRef<'_>, MatrixRef<'_>)],
    precision: Precision,
) -> Vec<Vec<f64>> {
    received(Kernels { level: KernelLevel::active(), precision }, shape, sequences)
}

fn received(
    kernels: Kernels,
    shape: &AttentionShape,
    sequences: &[(MatrixRef<'_>, MatrixRef<'_>)],
) -> Vec<Vec<f64>> {
    // the panels have room for values, which nothing reads here
    let sequences: Vec<_> = sequences.iter().map(|&(q, k)| Sequence { q, k, v: k }).collect();
    for sequence in &sequences {
        check(shape, sequence);
        assert_eq!(sequence.q.rows(), sequence.k.rows(), "a token has a query and a key");
    }
    let length = tile_length(shape);
    let packed = SequencePanels::pack(kernels, shape, &sequences, length);
    let mut totals: Vec<_> = sequences.iter().map(|s| vec![0.0; s.q.rows()]).collect();
    let tiles: Vec<(usize, Range<usize>)> = tiles(&sequences, length).collect();
    for tiles in tiles.chunks(TILES) {
        let sums = |(index, queries): &(usize, Range<usize>)| {
            let mut sums = vec![0.0; queries.end];
            for kv_head in 0..shape.kv_heads {
                let head: Option<PackedHead<'_>> = packed.of(*index, kv_head);
                Problem::new(kernels, shape, &sequences[*index], queries, kv_head)
                    .with_packed(head)
                    .add_received(&mut sums);
            }
            sums
        };
        let partial: Vec<Vec<f32>> = tiles.par_iter().with_max_len(1).map(sums).collect();
        for ((index, _), sums) in tiles.iter().zip(partial) {
            let pairs = totals[*index].iter_mut().zip(sums);
            pairs.for_each(|(total, sum)| *total += f64::from(sum));
        }
    }
    totals
}

/// The queries of every sequence, `length` at a time.
fn tiles(sequences: &[Sequence<'_>], length: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    sequences.iter().enumerate().flat_map(move |(index, sequence)| {
        let tokens = sequence.q.rows();
        let starts = (0..tokens).step_by(length);
        starts.map(move |start| (index, start..tokens.min(start + length)))
    })
}

/// What is known of one query's softmax.
#[derive(Clone, Copy)]
struct Normaliser {
    /// The largest score so far.
    largest: f32,
    /// The sum of the exponentials, relative to that of the largest.
    sum: f32,
}

impl Problem<'_> {
    /// Adds the probabilities of every key the queries see to `sums`, `[keys]`.
    fn add_received(&self, sums: &mut [f32]) {
        let mut buffers = BUFFERS.take();
        self.store_queries(&mut buffers);
        let mut rows = vec![Normaliser { largest: f32::NEG_INFINITY, sum: 0.0 }; self.rows()];
        for first in (0..self.keys()).step_by(KEYS) {
            self.score_tile(first, &mut buffers);
            self.each_row(first, &buffers, |row, scores| {
                normalise(self.kernels.level, scores, self.factor, &mut rows[row]);
            });
        }
        for first in (0..self.keys()).step_by(KEYS) {
            self.score_tile(first, &mut buffers);
            self.each_row(first, &buffers, |row, scores| {
                let into = &mut sums[first..first + scores.len()];
                add_probabilities(self.kernels.level, scores, self.factor, rows[row], into);
            });
        }
        BUFFERS.set(buffers);
    }

    /// Calls `work` with every row that sees something of the tile from `first` on, and its scores.
    fn each_row(&self, first: usize, buffers: &Buffers, mut work: impl FnMut(usize, &[f32])) {
        let rows = buffers.scores.chunks_exact(KEYS).take(self.rows()).enumerate();
        for (row, scores) in rows.skip(self.hidden(first)) {
            let visible = self.visible(row, first).min(self.count(first));
            work(row, &scores[..visible]);
        }
    }
}

for_each_level! {
    /// Takes more scores of a query into its normaliser; `factor` turns differences of scores into
    /// exponents of two.
    fn normalise(scores: &[f32], factor: f32, row: &mut Normaliser) = normalise_body
}

#[inline(always)]
fn normalise_body<const FUSED: bool>(scores: &[f32], factor: f32, row: &mut Normaliser) {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let largest = scores.iter().fold(row.largest, |largest, score| larger(largest, *score));
    let exp2 = |score: f32| exp2_falling::<FUSED>((score - largest) * factor, &EXP2_FULL);
    // sums side by side, so that the processor can take them together
    let mut sums = [0.0f32; 16];
    let (chunks, rest) = scores.as_chunks::<16>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, score)| *sum += exp2(*score));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, score)| *sum += exp2(*score));
    let before = if row.sum == 0.0 { 0.0 } else { row.sum * exp2(row.largest) };
    *row = Normaliser { largest, sum: before + sums.iter().sum::<f32>() };
}

for_each_level! {
    /// Adds the probability of every key to `into`.
    fn add_probabilities(scores: &[f32], factor: f32, row: Normaliser, into: &mut [f32])
        = add_probabilities_body
}

#[inline(always)]
fn add_probabilities_body<const FUSED: bool>(
    scores: &[f32],
    factor: f32,
    row: Normaliser,
    into: &mut [f32],
) {
    let share = row.sum.recip();
    for (into, score) in into.iter_mut().zip(scores) {
        *into += exp2_falling::<FUSED>((score - row.largest) * factor, &EXP2_FULL) * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;
    use crate::testing::{in_pool, random};

    fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
        AttentionShape { heads, kv_heads, head_dim, scale: 3.0 / (head_dim as f32).sqrt() }
    }

    fn inputs(shape: &AttentionShape, tokens: usize, precision: Precision) -> [Matrix; 2] {
        let mut inputs =
            [random(tokens, shape.query_width(), 1), random(tokens, shape.kv_width(), 2)];
        inputs.iter_mut().for_each(|m| precision.round_slice(m.as_mut_slice()));
        inputs
    }

    /// Straight from the definition, in f64.
    fn twin(shape: &AttentionShape, [q, k]: &[Matrix; 2]) -> Vec<f64> {
        let (tokens, width) = (q.rows(), shape.head_dim);
        let mut received = vec![0.0; tokens];
        for (row, head) in (0..tokens).flat_map(|row| (0..shape.heads).map(move |h| (row, h))) {
            let kv = head / (shape.heads / shape.kv_heads) * width;
            let q = &q.row(row)[head * width..][..width];
            let score = |key: usize| -> f64 {
                let pairs = q.iter().zip(&k.row(key)[kv..][..width]);
                let dot: f64 = pairs.map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
                (dot * f64::from(shape.scale)).exp()
            };
            let scores: Vec<f64> = (0..=row).map(score).collect();
            let total: f64 = scores.iter().sum();
            scores.iter().enumerate().for_each(|(key, score)| received[key] += score / total);
        }
        received
    }

    #[test]
    fn equals_the_f64_twin_at_every_level() {
        for (heads, kv_heads, head_dim) in [(9, 3, 64), (2, 2, 7), (4, 1, 33), (1, 1, 16)] {
            let shape = shape(heads, kv_heads, head_dim);
            for tokens in [1, 2, 63, 64, 65, 300] {
                for precision in [Precision::F32, Precision::Bf16] {
                    let inputs = inputs(&shape, tokens, precision);
                    let expected = twin(&shape, &inputs);
                    for level in KernelLevel::available() {
                        let sequence = (inputs[0].view(), inputs[1].view());
                        let found = received(Kernels { level, precision }, &shape, &[sequence]);
                        for (found, expected) in found[0].iter().zip(&expected) {
                            let error = (found - expected).abs();
                            assert!(
                                error < 1e-5 * expected.max(1.0),
                                "{level}: {found} {expected}"
                            );
                        }
                        let total: f64 = found[0].iter().sum();
                        assert!((total / (heads * tokens) as f64 - 1.0).abs() < 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn sequences_do_not_see_each_other_and_threads_do_not_matter() {
        let shape = shape(4, 2, 24);
        let lengths = [700, 40, 1, 130];
        let inputs = lengths.map(|tokens| inputs(&shape, tokens, Precision::Bf16));
        let sequences = inputs.each_ref().map(|[q, k]| (q.view(), k.view()));
        let all =
            |threads| in_pool(threads, || attention_received(&shape, &sequences, Precision::Bf16));
        let found = all(1);
        assert_eq!(found, all(3));
        for (sequence, found) in sequences.iter().zip(&found) {
            let alone = attention_received(&shape, &[*sequence], Precision::Bf16);
            assert_eq!(alone[0], *found);
        }
        assert!(attention_received(&shape, &[], Precision::F32).is_empty());
    }

    #[test]
    fn a_key_that_is_not_finite_is_heard() {
        let shape = shape(2, 1, 16);
        let [q, mut k] = inputs(&shape, 100, Precision::F32);
        k.row_mut(70)[3] = f32::NAN;
        let found = attention_received(&shape, &[(q.view(), k.view())], Precision::F32);
        assert!(found[0][..=70].iter().all(|value| value.is_nan()));
    }
}
