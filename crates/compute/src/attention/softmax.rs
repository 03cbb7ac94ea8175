//! The running maximum and sum of a softmax.

use super::span::Partial;
use crate::exponential::{EXP2_FULL, exp2_falling};
use crate::kernels::{
    KEYS, Kernels, ROWS, ScoreRows, Weighed, for_each_level, larger, multiply_add, weigh,
};

/// A tile of scores, `[rows, KEYS]`, and the weights that come of it, `[rows, words]`.
pub(super) struct Scores<'a> {
    pub(super) scores: &'a [f32],
    pub(super) weights: &'a mut [u32],
    /// Rows before this see none of the tile's keys.
    pub(super) hidden: usize,
    /// Keys in the tile.
    pub(super) count: usize,
    /// Factor from differences of scores to exponents of two.
    pub(super) factor: f32,
    pub(super) kernels: Kernels,
}

/// How many keys of the tile and of those before it a row sees.
type Visible<'a> = dyn Fn(usize) -> usize + 'a;

/// Writes the weights of every row and scales down what its `partial` holds by as much as its
/// maximum has grown.
pub(super) fn soften(tile: &mut Scores<'_>, partial: &mut Partial, visible: &Visible<'_>) {
    let (kernels, factor) = (tile.kernels, tile.factor);
    let words = kernels.row_words(KEYS);
    let scores = &tile.scores.as_chunks::<KEYS>().0[tile.hidden..];
    let weights = tile.weights[tile.hidden * words..].chunks_mut(ROWS * words);
    for (block, (scores, weights)) in scores.chunks(ROWS).zip(weights).enumerate() {
        let first = tile.hidden + block * ROWS;
        let mut rows = ScoreRows { scores, visible: [0; _], before: [0.0; _], factor };
        for row in 0..scores.len() {
            rows.visible[row] = visible(first + row).min(tile.count);
            rows.before[row] = *partial.row(first + row).1;
        }
        let mut weighed = [Weighed::default(); ROWS];
        weigh(kernels, &rows, weights, &mut weighed);
        for (row, weighed) in weighed.iter().enumerate().take(scores.len()) {
            let (values, largest, sum) = partial.row(first + row);
            if weighed.largest > *largest {
                shrink(kernels.level, (values, sum), (*largest - weighed.largest) * factor);
                *largest = weighed.largest;
            }
            *sum += weighed.sum;
        }
    }
}

for_each_level! {
    /// Multiplies values and sum by two to the power of `exponent`.
    fn shrink(row: (&mut [f32], &mut f32), exponent: f32) = shrink_body
}

#[inline(always)]
fn shrink_body<const FUSED: bool>((values, sum): (&mut [f32], &mut f32), exponent: f32) {
    let factor = exp2_falling::<FUSED>(exponent, &EXP2_FULL);
    values.iter_mut().for_each(|value| *value *= factor);
    *sum *= factor;
}

/// Weighted values, largest score, sum of weights of a row.
type Row<'a> = (&'a mut [f32], &'a mut f32, &'a mut f32);

for_each_level! {
    /// Adds `next` to `total`, both brought to the larger of their maxima; `factor` as in
    /// [`Scores`].
    pub(super) fn merge(total: Row<'_>, next: (&[f32], f32, f32), factor: f32) = merge_body
}

#[inline(always)]
fn merge_body<const FUSED: bool>(total: Row<'_>, next: (&[f32], f32, f32), factor: f32) {
    let ((values, largest, sum), (more, next_largest, next_sum)) = (total, next);
    let joint = larger(*largest, next_largest);
    let exp2 = |exponent: f32| exp2_falling::<FUSED>(exponent, &EXP2_FULL);
    let (old, new) = (exp2((*largest - joint) * factor), exp2((next_largest - joint) * factor));
    for (value, &more) in values.iter_mut().zip(more) {
        *value = multiply_add::<FUSED>(more, new, *value * old);
    }
    *sum = multiply_add::<FUSED>(next_sum, new, *sum * old);
    *largest = joint;
}
