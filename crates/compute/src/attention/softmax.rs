//! From scores to weights, with the running maximum and sum of a softmax.

use super::span::{KEYS, Partial};
use crate::Precision;
use crate::exponential::exp;
use crate::kernels::{Kernels, for_each_level, multiply_add};
use crate::precision::{bf16_pair, round_bf16};

const LANES: usize = 16;

/// A tile of scores, `[rows, KEYS]`, and the weights that come of it, `[rows, words]`.
pub(super) struct Scores<'a> {
    pub(super) scores: &'a [f32],
    pub(super) weights: &'a mut [u32],
    /// Rows before this see none of the tile's keys.
    pub(super) hidden: usize,
    /// Keys in the tile.
    pub(super) count: usize,
    pub(super) scale: f32,
    pub(super) kernels: Kernels,
}

/// How many keys of the tile and of those before it a row sees.
type Visible<'a> = dyn Fn(usize) -> usize + 'a;

for_each_level! {
    /// Writes the weights of every row and scales down what its `partial` holds by as much as its
    /// maximum has grown.
    pub(super) fn soften(tile: &mut Scores<'_>, partial: &mut Partial, visible: &Visible<'_>)
        = soften_body
}

#[inline(always)]
fn soften_body<const FUSED: bool>(
    tile: &mut Scores<'_>,
    partial: &mut Partial,
    visible: &Visible<'_>,
) {
    let words = tile.kernels.row_words(KEYS);
    let rows = tile.scores.as_chunks::<KEYS>().0.iter().zip(tile.weights.chunks_exact_mut(words));
    for (row, (scores, weights)) in rows.enumerate().skip(tile.hidden) {
        let visible = visible(row).min(tile.count);
        let mut scores = *scores;
        scores.iter_mut().for_each(|score| *score *= tile.scale);
        if visible < KEYS {
            hide(&mut scores, visible as u32);
        }
        let (values, largest, sum) = partial.row(row);
        let before = *largest;
        let lanes = fold_lanes(&scores, f32::NEG_INFINITY, larger);
        *largest = larger(before, reduce(lanes, larger));
        for score in &mut scores {
            *score = exp::<FUSED>(*score - *largest);
        }
        if tile.kernels.precision == Precision::Bf16 {
            scores.iter_mut().for_each(|weight| *weight = round_bf16(*weight));
        }
        let total = reduce(fold_lanes(&scores, 0.0, |a, b| a + b), |a, b| a + b);
        store(&scores, weights);
        let factor = if before == *largest { 1.0 } else { exp::<FUSED>(before - *largest) };
        *sum = multiply_add::<FUSED>(*sum, factor, total);
        if factor != 1.0 {
            values.iter_mut().for_each(|value| *value *= factor);
        }
    }
}

/// Takes the keys from `visible` on out of the softmax.
#[inline(always)]
fn hide(scores: &mut [f32; KEYS], visible: u32) {
    for (key, score) in (0u32..).zip(scores) {
        *score = if key < visible { *score } else { f32::NEG_INFINITY };
    }
}

/// Weights as words of the left operand: one each, or in pairs where only half as many fit.
#[inline(always)]
fn store(weights: &[f32; KEYS], words: &mut [u32]) {
    if let Ok(words) = <&mut [u32; KEYS]>::try_from(&mut *words) {
        for (word, weight) in words.iter_mut().zip(weights) {
            *word = weight.to_bits();
        }
    } else if let Ok(words) = <&mut [u32; KEYS / 2]>::try_from(words) {
        for (word, pair) in words.iter_mut().zip(weights.as_chunks::<2>().0) {
            *word = bf16_pair(pair[0], pair[1]);
        }
    }
}

/// The larger number; `b` where either is NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn fold_lanes(values: &[f32; KEYS], start: f32, join: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    for values in values.as_chunks::<LANES>().0 {
        for (lane, &value) in lanes.iter_mut().zip(values) {
            *lane = join(value, *lane);
        }
    }
    lanes
}

/// Joins the lanes in a tree.
#[inline(always)]
fn reduce(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Weighted values, largest score, sum of weights of a row.
type Row<'a> = (&'a mut [f32], &'a mut f32, &'a mut f32);

for_each_level! {
    /// Adds `next` to `total`, both brought to the larger of their maxima.
    pub(super) fn merge(total: Row<'_>, next: (&[f32], f32, f32)) = merge_body
}

#[inline(always)]
fn merge_body<const FUSED: bool>(total: Row<'_>, next: (&[f32], f32, f32)) {
    let ((values, largest, sum), (more, next_largest, next_sum)) = (total, next);
    let joint = larger(*largest, next_largest);
    let (old, new) = (exp::<FUSED>(*largest - joint), exp::<FUSED>(next_largest - joint));
    for (value, &more) in values.iter_mut().zip(more) {
        *value = multiply_add::<FUSED>(more, new, *value * old);
    }
    *sum = multiply_add::<FUSED>(next_sum, new, *sum * old);
    *largest = joint;
}
