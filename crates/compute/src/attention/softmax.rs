//! The running maximum and sum of a softmax.

use crate::exponential::{EXP2_FULL, exp2_falling};
use crate::kernels::{
    KEYS, Kernels, ROWS, Running, ScoreRows, Weighed, for_each_level, larger, multiply_add, weigh,
};

/// A tile of scores, `[rows, KEYS]`, and the weights that come of it, `[rows, words]`.
pub(super) struct Scores<'a> {
    pub(super) scores: &'a [f32],
    pub(super) weights: &'a mut [u32],
    /// Rows before this see none of the tile's keys.
    pub(super) hidden: usize,
    /// Keys in the tile.
    pub(super) count: usize,
    pub(super) kernels: Kernels,
}

/// How many keys of the tile and of those before it a row sees.
type Visible<'a> = dyn Fn(usize) -> usize + 'a;

/// Writes the weights of every row and takes their sums into `running`.
pub(super) fn soften(tile: &mut Scores<'_>, running: &mut Running<'_>, visible: &Visible<'_>) {
    let words = tile.kernels.row_words(KEYS);
    let scores = &tile.scores.as_chunks::<KEYS>().0[tile.hidden..];
    let weights = tile.weights[tile.hidden * words..].chunks_mut(ROWS * words);
    for (block, (scores, weights)) in scores.chunks(ROWS).zip(weights).enumerate() {
        let first = tile.hidden + block * ROWS;
        let factor = running.factor;
        let mut rows = ScoreRows { scores, visible: [0; _], before: [0.0; _], factor };
        for row in 0..scores.len() {
            rows.visible[row] = visible(first + row).min(tile.count);
            rows.before[row] = running.references[first + row];
        }
        let mut weighed = [Weighed::default(); ROWS];
        weigh(tile.kernels, &rows, weights, &mut weighed);
        for (row, weighed) in weighed.iter().enumerate().take(scores.len()) {
            running.take(first + row, *weighed);
        }
    }
}

/// Weighted values, reference, sum of weights of a row.
type Row<'a> = (&'a mut [f32], &'a mut f32, &'a mut f32);

for_each_level! {
    /// Adds `next` to `total`, both brought to the larger of their references; `factor` as in
    /// [`Running`].
    pub(super) fn merge(total: Row<'_>, next: (&[f32], f32, f32), factor: f32) = merge_body
}

#[inline(always)]
fn merge_body<const FUSED: bool>(total: Row<'_>, next: (&[f32], f32, f32), factor: f32) {
    let ((values, reference, sum), (more, next_reference, next_sum)) = (total, next);
    let joint = larger(*reference, next_reference);
    let exp2 = |exponent: f32| exp2_falling::<FUSED>(exponent, &EXP2_FULL);
    let old = exp2((*reference - joint) * factor);
    let new = exp2((next_reference - joint) * factor);
    for (value, &more) in values.iter_mut().zip(more) {
        *value = multiply_add::<FUSED>(more, new, *value * old);
    }
    *sum = multiply_add::<FUSED>(next_sum, new, *sum * old);
    *reference = joint;
}
