//! Causal attention with grouped-query heads.
//!
//! No score matrix is kept: keys are taken tile by tile, with the running maximum and sum of a
//! softmax (Milakov and Gimelshein 2018; Dao et al. 2022). Tiles and spans of keys begin at fixed
//! key positions, so a query's result depends neither on the queries it was computed with nor on
//! the number of threads.

mod cache;
mod panels;
mod received;
mod results;
mod softmax;
mod span;

use std::ops::Range;

use rayon::prelude::*;

use crate::kernels::Kernels;
use crate::{KernelLevel, LinearInput, Matrix, MatrixRef, Precision};
use panels::{PackedHead, SequencePanels};
use results::Results;
use span::{Partial, Problem, SPAN};

pub use cache::{CachedSequence, KeyValueCache, causal_attention_cached};
pub use received::attention_received;

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Number of query heads.
    pub heads: usize,
    /// Number of key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`; above zero.
    pub scale: f32,
}

impl AttentionShape {
    /// Width of the queries and of the result.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of the keys and of the values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// One sequence's part of an attention layer.
///
/// `q` is `[new, heads · head_dim]`, `k` and `v` are `[past + new, kv_heads · head_dim]`; query `i`
/// sees keys `0 ..= past + i`.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// The queries.
    pub q: MatrixRef<'a>,
    /// The keys.
    pub k: MatrixRef<'a>,
    /// The values.
    pub v: MatrixRef<'a>,
}

/// Causal attention of one sequence.
///
/// `q` is `[new, heads · head_dim]`, `k` and `v` are `[past + new, kv_heads · head_dim]`; query `i`
/// sees keys `0 ..= past + i`. The result is `[new, heads · head_dim]`. In [`Precision::Bf16`] the
/// inputs and the softmax weights are rounded to bf16; maxima and sums stay in `f32`.
///
/// A score that is NaN or positive infinity makes its query's result NaN. A value that is not finite
/// may do so even for queries up to 127 positions before it.
///
/// # Panics
/// When the widths are not the shape's, or there are fewer keys than queries.
pub fn causal_attention(
    shape: &AttentionShape,
    q: MatrixRef<'_>,
    k: MatrixRef<'_>,
    v: MatrixRef<'_>,
    precision: Precision,
) -> Matrix {
    causal_attention_batch(shape, &[Sequence { q, k, v }], precision).to_matrix()
}

/// [`causal_attention`] of several sequences at once: their results one after another,
/// `[tokens, heads · head_dim]`, the input of the layer that follows.
///
/// # Panics
/// When the widths are not the shape's, or a sequence has fewer keys than queries.
pub fn causal_attention_batch(
    shape: &AttentionShape,
    sequences: &[Sequence<'_>],
    precision: Precision,
) -> LinearInput {
    attend(Kernels { level: KernelLevel::active(), precision }, shape, sequences)
}

/// Queries of one sequence that are computed together, and where their results go.
struct QueryTile<'a, 'o> {
    sequence: &'a Sequence<'a>,
    /// Which of the sequences it is.
    index: usize,
    queries: Range<usize>,
    out: Results<'o>,
}

/// Where a tile's head finds its keys and values packed, if they are.
type Packed<'p> = dyn Fn(&QueryTile<'_, '_>, usize) -> Option<PackedHead<'p>> + Sync + 'p;

fn attend(kernels: Kernels, shape: &AttentionShape, sequences: &[Sequence<'_>]) -> LinearInput {
    for sequence in sequences {
        check(shape, sequence);
        assert!(sequence.k.rows() >= sequence.q.rows());
    }
    let tokens = sequences.iter().map(|sequence| sequence.q.rows()).sum();
    let mut out = LinearInput::new(kernels, tokens, shape.query_width());
    let length = tile_length(shape);
    let tiles = query_tiles(sequences, length, Results::of(&mut out));
    if shared_by_tiles(&tiles) {
        let packed = SequencePanels::pack(kernels, shape, sequences, length);
        attend_tiles(kernels, shape, tiles, &|tile, kv_head| packed.of(tile.index, kv_head));
    } else {
        attend_tiles(kernels, shape, tiles, &|_, _| None);
    }
    out
}

/// Holds a sequence to the shape.
fn check(shape: &AttentionShape, Sequence { q, k, v }: &Sequence<'_>) {
    assert!(shape.kv_heads > 0 && shape.heads.is_multiple_of(shape.kv_heads));
    assert!(shape.scale > 0.0, "the largest product is the largest score");
    assert_eq!(q.cols(), shape.query_width());
    assert_eq!((k.cols(), v.cols()), (shape.kv_width(), shape.kv_width()));
    assert!(k.rows() == v.rows());
}

/// Whether there are tiles enough for all threads.
fn shared_by_tiles(tiles: &[QueryTile<'_, '_>]) -> bool {
    tiles.len() >= 2 * rayon::current_num_threads()
}

fn attend_tiles<'a>(
    kernels: Kernels,
    shape: &AttentionShape,
    tiles: Vec<QueryTile<'a, '_>>,
    packed: &Packed<'a>,
) {
    let problems = |tile: &QueryTile<'a, '_>| -> Vec<Problem<'a>> {
        let problem = |kv_head| {
            Problem::new(kernels, shape, tile.sequence, &tile.queries, kv_head)
                .with_packed(packed(tile, kv_head))
        };
        (0..shape.kv_heads).map(problem).collect()
    };
    if shared_by_tiles(&tiles) {
        // the last queries of a sequence see most keys and are to begin first
        tiles.into_par_iter().rev().with_max_len(1).for_each(|mut tile| {
            let problems = problems(&tile);
            problems.iter().for_each(|problem| problem.run(&mut tile.out));
        });
    } else {
        tiles.into_iter().for_each(|mut tile| {
            let problems = problems(&tile);
            share_keys(&problems, &mut tile.out);
        });
    }
}

/// Queries of a tile: with the heads that share keys they make about 192 rows.
fn tile_length(shape: &AttentionShape) -> usize {
    (192 * shape.kv_heads / shape.heads).clamp(16, 128) / 16 * 16
}

/// Cuts the queries of every sequence into tiles of `length`.
fn query_tiles<'a, 'o>(
    sequences: &'a [Sequence<'a>],
    length: usize,
    mut out: Results<'o>,
) -> Vec<QueryTile<'a, 'o>> {
    let mut tiles = Vec::new();
    for (index, sequence) in sequences.iter().enumerate() {
        for start in (0..sequence.q.rows()).step_by(length) {
            let queries = start..sequence.q.rows().min(start + length);
            let (own, rest) = out.split(queries.len());
            tiles.push(QueryTile { sequence, index, queries, out: own });
            out = rest;
        }
    }
    tiles
}

/// One tile of queries, its key-value heads and spans of keys shared out over the threads.
fn share_keys(heads: &[Problem<'_>], out: &mut Results<'_>) {
    let spans = heads[0].keys().div_ceil(SPAN);
    let tasks = (0..heads.len() * spans).into_par_iter().with_max_len(1);
    let partials: Vec<Partial> = tasks.map(|task| heads[task / spans].span(task % spans)).collect();
    for (problem, partials) in heads.iter().zip(partials.chunks_exact(spans.max(1))) {
        let mut total = partials[0].clone();
        partials[1..].iter().for_each(|partial| total.merge(problem, partial));
        total.store(problem, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{bits, in_pool, random};

    const SHAPES: [(usize, usize, usize); 7] =
        [(9, 3, 64), (2, 2, 7), (4, 1, 33), (8, 8, 16), (6, 2, 80), (4, 2, 32), (2, 1, 128)];

    fn shape((heads, kv_heads, head_dim): (usize, usize, usize)) -> AttentionShape {
        AttentionShape { heads, kv_heads, head_dim, scale: 2.0 / (head_dim as f32).sqrt() }
    }

    fn inputs(
        shape: &AttentionShape,
        new: usize,
        past: usize,
        precision: Precision,
    ) -> [Matrix; 3] {
        let mut inputs = [
            random(new, shape.query_width(), 1),
            random(new + past, shape.kv_width(), 2),
            random(new + past, shape.kv_width(), 3),
        ];
        inputs.iter_mut().for_each(|m| precision.round_slice(m.as_mut_slice()));
        inputs
    }

    fn run(
        level: KernelLevel,
        shape: &AttentionShape,
        [q, k, v]: [MatrixRef<'_>; 3],
        precision: Precision,
    ) -> Matrix {
        attend(Kernels { level, precision }, shape, &[Sequence { q, k, v }]).to_matrix()
    }

    /// Attention in f64, straight from its definition.
    fn twin(shape: &AttentionShape, [q, k, v]: [&Matrix; 3]) -> Vec<f64> {
        let (past, width) = (k.rows() - q.rows(), shape.head_dim);
        let mut out = Vec::new();
        for (row, head) in (0..q.rows()).flat_map(|row| (0..shape.heads).map(move |h| (row, h))) {
            let kv = head / (shape.heads / shape.kv_heads) * width;
            let q = &q.row(row)[head * width..][..width];
            let dot = |k: &[f32]| -> f64 {
                q.iter().zip(k).map(|(&q, &k)| f64::from(q) * f64::from(k)).sum()
            };
            let scores: Vec<f64> = (0..=past + row)
                .map(|key| (dot(&k.row(key)[kv..][..width]) * f64::from(shape.scale)).exp())
                .collect();
            let total: f64 = scores.iter().sum();
            for column in kv..kv + width {
                let terms = scores.iter().enumerate();
                let sum: f64 = terms.map(|(key, s)| s * f64::from(v.row(key)[column])).sum();
                out.push(sum / total);
            }
        }
        out
    }

    fn check(heads: (usize, usize, usize), new: usize, past: usize) {
        let shape = shape(heads);
        for (precision, allowed) in [(Precision::F32, 2e-6), (Precision::Bf16, 1.2e-2)] {
            let [q, k, v] = &inputs(&shape, new, past, precision);
            let expected = twin(&shape, [q, k, v]);
            for level in KernelLevel::available() {
                let out = run(level, &shape, [q.view(), k.view(), v.view()], precision);
                for (&out, &expected) in out.as_slice().iter().zip(&expected) {
                    let error = (f64::from(out) - expected).abs();
                    assert!(error < allowed, "{level} {precision:?}: {out} for {expected}");
                }
            }
        }
    }

    #[test]
    fn equals_the_f64_twin_at_every_level() {
        for heads in SHAPES {
            for (new, past) in [(0, 0), (1, 0), (7, 0), (33, 0), (65, 0), (1, 127), (5, 600)] {
                check(heads, new, past);
            }
        }
        check((3, 1, 8), 300, 900);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn any_shape_equals_the_f64_twin(
            kv_heads in 1usize..4, group in 1usize..4, head_dim in 1usize..40,
            new in 0usize..150, past in 0usize..150,
        ) {
            check((kv_heads * group, kv_heads, head_dim), new, past);
        }
    }

    #[test]
    fn a_query_has_the_same_bits_alone_and_in_any_batch() {
        for (heads, tokens) in [((9, 3, 64), 700), ((2, 2, 7), 1100), ((4, 1, 96), 650)] {
            let shape = shape(heads);
            for precision in [Precision::F32, Precision::Bf16] {
                let inputs = inputs(&shape, tokens, 0, precision);
                let [q, k, v] = &inputs;
                for level in KernelLevel::available() {
                    let full = in_pool(1, || {
                        run(level, &shape, [q.view(), k.view(), v.view()], precision)
                    });
                    let part = |threads, rows: Range<usize>| {
                        let keys = 0..rows.end;
                        let part = [
                            q.view_rows(rows.clone()),
                            k.view_rows(keys.clone()),
                            v.view_rows(keys),
                        ];
                        let out = in_pool(threads, || run(level, &shape, part, precision));
                        let expected = full.view_rows(rows.clone());
                        assert_eq!(
                            bits(out.as_slice()),
                            bits(expected.as_slice()),
                            "{level} {rows:?}"
                        );
                    };
                    for threads in [2, 5] {
                        part(threads, 0..tokens);
                    }
                    for token in [0, 1, 31, 63, 64, 65, 511, 512, 513, 640, tokens - 1] {
                        part(2, token..token + 1);
                    }
                    part(5, 37..600);
                    part(1, 500..tokens);
                }
            }
        }
    }

    #[test]
    fn a_batch_of_sequences_is_each_alone() {
        let shape = shape((4, 2, 24));
        let lengths = [(1, 700), (40, 0), (0, 3), (90, 20)];
        for precision in [Precision::F32, Precision::Bf16] {
            let inputs = lengths.map(|(new, past)| inputs(&shape, new, past, precision));
            let sequences = inputs.each_ref().map(|[q, k, v]| Sequence {
                q: q.view(),
                k: k.view(),
                v: v.view(),
            });
            let alone = sequences.map(|s| causal_attention(&shape, s.q, s.k, s.v, precision));
            let expected: Vec<f32> = alone.into_iter().flat_map(Matrix::into_vec).collect();
            let out = causal_attention_batch(&shape, &sequences, precision).to_matrix();
            assert_eq!((out.rows(), bits(out.as_slice())), (131, bits(&expected)));
        }
    }

    #[test]
    fn nan_keys_are_heard_and_later_tiles_are_not() {
        let shape = shape((2, 1, 16));
        for precision in [Precision::F32, Precision::Bf16] {
            let [q, mut k, v] = inputs(&shape, 200, 0, precision);
            k.row_mut(130)[3] = f32::NAN;
            for level in KernelLevel::available() {
                let out = run(level, &shape, [q.view(), k.view(), v.view()], precision);
                assert!(out.view_rows(0..130).as_slice().iter().all(|x| x.is_finite()), "{level}");
                assert!(out.view_rows(130..200).as_slice().iter().all(|x| x.is_nan()), "{level}");
            }
        }
    }

    #[test]
    fn large_scores_neither_overflow_nor_vanish() {
        let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 1, scale: 1.0 };
        let q = Matrix::from_vec(2, 1, vec![1e4, -1e4]);
        let k = Matrix::from_vec(2, 1, vec![-1e4, 1e4]);
        let v = Matrix::from_vec(2, 1, vec![3.0, 5.0]);
        for level in KernelLevel::available() {
            let out = run(level, &shape, [q.view(), k.view(), v.view()], Precision::F32);
            assert_eq!(out.as_slice(), [3.0, 3.0], "{level}");
        }
    }
}
