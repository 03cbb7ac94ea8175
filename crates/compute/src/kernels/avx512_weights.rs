//! The weights of a softmax for AVX-512: a row of scores stays in registers.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _CMP_NLT_UQ, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_mask_mov_ps, _mm512_maskz_add_epi32, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps,
    _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
    _mm512_storeu_si512, _mm512_sub_ps,
};
use std::mem::transmute;

use super::avx512::round;
use super::weights::{KEYS, ROWS, ScoreRows, Weighed, larger};
use crate::exponential::{EXP2_BF16, EXP2_FULL, SMALLEST, TO_INTEGER};

const VECTORS: usize = KEYS / 16;

/// The weights of row `$row`, `[__m512; VECTORS]`, and what is left of it. A macro: a call would pass
/// the registers through memory.
macro_rules! weights {
    ($rows:ident, $row:ident, $largest:expr, $polynomial:ident) => {{
        let (mut scores, largest) = (visible_scores($rows, $row), $largest);
        let (top, factor) = (_mm512_set1_ps(largest), _mm512_set1_ps($rows.factor));
        let mut sum = _mm512_setzero_ps();
        for score in &mut scores {
            let exponent = _mm512_mul_ps(_mm512_sub_ps(*score, top), factor);
            // Below, weights are 0: denormal numbers would take a hundred times as long.
            let counts = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(exponent, _mm512_set1_ps(SMALLEST));
            let shifted = _mm512_add_ps(exponent, _mm512_set1_ps(TO_INTEGER));
            let whole = _mm512_sub_ps(shifted, _mm512_set1_ps(TO_INTEGER));
            let fraction = _mm512_sub_ps(exponent, whole);
            let mut value = _mm512_set1_ps($polynomial[0]);
            for index in 1..$polynomial.len() {
                value = _mm512_fmadd_ps(value, fraction, _mm512_set1_ps($polynomial[index]));
            }
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
            let power = _mm512_maskz_add_epi32(counts, _mm512_castps_si512(value), exponent);
            *score = _mm512_castsi512_ps(power);
            sum = _mm512_add_ps(sum, *score);
        }
        (scores, Weighed { largest, sum: _mm512_reduce_add_ps(sum) })
    }};
}

/// Weights in pairs of bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pairs(
    rows: &ScoreRows<'_>,
    words: &mut [[u32; KEYS / 2]],
    weighed: &mut [Weighed; ROWS],
) {
    let largest = largest(rows);
    for (row, words) in words.iter_mut().enumerate().take(rows.scores.len()) {
        let (weights, left) = weights!(rows, row, largest[row], EXP2_BF16);
        weighed[row] = left;
        for index in 0..VECTORS / 2 {
            // SAFETY: 16 words from here on are the row's; both register types are 64 bytes without
            // invalid values.
            unsafe {
                let pairs = _mm512_cvtne2ps_pbh(weights[2 * index + 1], weights[2 * index]);
                let pairs = transmute::<__m512bh, __m512i>(pairs);
                _mm512_storeu_si512(words.as_mut_ptr().add(index * 16).cast(), pairs);
            }
        }
    }
}

/// Weights in `f32`.
#[target_feature(enable = "avx512f")]
pub(super) fn full(rows: &ScoreRows<'_>, words: &mut [[u32; KEYS]], weighed: &mut [Weighed; ROWS]) {
    let largest = largest(rows);
    for (row, words) in words.iter_mut().enumerate().take(rows.scores.len()) {
        let (weights, left) = weights!(rows, row, largest[row], EXP2_FULL);
        weighed[row] = left;
        for index in 0..VECTORS {
            // SAFETY: 16 words from here on are the row's.
            unsafe { _mm512_storeu_ps(words.as_mut_ptr().add(index * 16).cast(), weights[index]) }
        }
    }
}

/// Weights in `f32`, rounded to bf16.
#[target_feature(enable = "avx512f")]
pub(super) fn rounded(
    rows: &ScoreRows<'_>,
    words: &mut [[u32; KEYS]],
    weighed: &mut [Weighed; ROWS],
) {
    let largest = largest(rows);
    for (row, words) in words.iter_mut().enumerate().take(rows.scores.len()) {
        let (weights, left) = weights!(rows, row, largest[row], EXP2_BF16);
        weighed[row] = left;
        for index in 0..VECTORS {
            let weight = round(weights[index]);
            // SAFETY: 16 words from here on are the row's.
            unsafe { _mm512_storeu_ps(words.as_mut_ptr().add(index * 16).cast(), weight) }
        }
    }
}

/// The largest score of every row and of the keys before: a loop of its own, so that the rows need not
/// wait for one another.
#[inline]
#[target_feature(enable = "avx512f")]
fn largest(rows: &ScoreRows<'_>) -> [f32; ROWS] {
    let mut largest = rows.before;
    for row in 0..rows.scores.len().min(ROWS) {
        let scores = visible_scores(rows, row);
        let mut lanes = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
        for index in 0..VECTORS {
            // The second operand where either is NaN: a NaN score does not count here.
            lanes[index % 2] = _mm512_max_ps(scores[index], lanes[index % 2]);
        }
        let lanes = _mm512_max_ps(lanes[0], lanes[1]);
        largest[row] = larger(rows.before[row], _mm512_reduce_max_ps(lanes));
    }
    largest
}

/// The scores of a row, those of hidden keys as negative infinity.
#[inline]
#[target_feature(enable = "avx512f")]
fn visible_scores(rows: &ScoreRows<'_>, row: usize) -> [__m512; VECTORS] {
    let mut scores = [_mm512_set1_ps(f32::NEG_INFINITY); VECTORS];
    for index in 0..VECTORS {
        // SAFETY: the row has 16 values from this place on.
        let all = unsafe { _mm512_loadu_ps(rows.scores[row].as_ptr().add(index * 16)) };
        let visible = rows.visible[row].saturating_sub(index * 16).min(16);
        scores[index] = _mm512_mask_mov_ps(scores[index], ((1u32 << visible) - 1) as u16, all);
    }
    scores
}
