//! The weights of a softmax for AVX-512: a row of scores stays in registers.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm512_add_ps,
    _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps,
    _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_sub_ps,
};
use std::mem::transmute;

use super::avx512::round;
use super::weights::{KEYS, ScoreRow, Weighed, larger};
use crate::exponential::{EXP2_BF16, EXP2_FULL};

const VECTORS: usize = KEYS / 16;
/// Below it a power of two is 0 in `f32`.
const FLOOR: f32 = -200.0;
const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// The weights of a row, `[__m512; VECTORS]`, and what is left of it. A macro: a call would pass the
/// registers through memory.
macro_rules! weights {
    ($row:ident, $polynomial:ident) => {{
        let mut scores = visible_scores($row);
        let mut lanes = _mm512_set1_ps(f32::NEG_INFINITY);
        for score in &scores {
            // The second operand where either is NaN: a NaN score does not count here.
            lanes = _mm512_max_ps(*score, lanes);
        }
        let largest = larger($row.before, _mm512_reduce_max_ps(lanes));
        let (top, factor) = (_mm512_set1_ps(largest), _mm512_set1_ps($row.factor));
        let mut sum = _mm512_setzero_ps();
        for score in &mut scores {
            let exponent = _mm512_mul_ps(_mm512_sub_ps(*score, top), factor);
            // The second operand where it is NaN.
            let exponent = _mm512_max_ps(_mm512_set1_ps(FLOOR), exponent);
            let whole = _mm512_roundscale_ps::<NEAREST>(exponent);
            let fraction = _mm512_sub_ps(exponent, whole);
            let mut value = _mm512_set1_ps($polynomial[0]);
            for index in 1..$polynomial.len() {
                value = _mm512_fmadd_ps(value, fraction, _mm512_set1_ps($polynomial[index]));
            }
            *score = _mm512_scalef_ps(value, whole);
            sum = _mm512_add_ps(sum, *score);
        }
        (scores, Weighed { largest, sum: _mm512_reduce_add_ps(sum) })
    }};
}

/// Weights in pairs of bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pairs(row: &ScoreRow<'_>, words: &mut [u32; KEYS / 2]) -> Weighed {
    let (weights, weighed) = weights!(row, EXP2_BF16);
    for index in 0..VECTORS / 2 {
        // SAFETY: 16 words from here on are the row's; both register types are 64 bytes without
        // invalid values.
        unsafe {
            let pairs = _mm512_cvtne2ps_pbh(weights[2 * index + 1], weights[2 * index]);
            let pairs = transmute::<__m512bh, __m512i>(pairs);
            _mm512_storeu_si512(words.as_mut_ptr().add(index * 16).cast(), pairs);
        }
    }
    weighed
}

/// Weights in `f32`.
#[target_feature(enable = "avx512f")]
pub(super) fn full(row: &ScoreRow<'_>, words: &mut [u32; KEYS]) -> Weighed {
    let (weights, weighed) = weights!(row, EXP2_FULL);
    for index in 0..VECTORS {
        // SAFETY: 16 words from here on are the row's.
        unsafe { _mm512_storeu_ps(words.as_mut_ptr().add(index * 16).cast(), weights[index]) }
    }
    weighed
}

/// Weights in `f32`, rounded to bf16.
#[target_feature(enable = "avx512f")]
pub(super) fn rounded(row: &ScoreRow<'_>, words: &mut [u32; KEYS]) -> Weighed {
    let (weights, weighed) = weights!(row, EXP2_BF16);
    for index in 0..VECTORS {
        let weight = round(weights[index]);
        // SAFETY: 16 words from here on are the row's.
        unsafe { _mm512_storeu_ps(words.as_mut_ptr().add(index * 16).cast(), weight) }
    }
    weighed
}

/// The scores, those of hidden keys as negative infinity.
#[inline]
#[target_feature(enable = "avx512f")]
fn visible_scores(row: &ScoreRow<'_>) -> [__m512; VECTORS] {
    let mut scores = [_mm512_set1_ps(f32::NEG_INFINITY); VECTORS];
    for index in 0..VECTORS {
        // SAFETY: the row has 16 values from this place on.
        let all = unsafe { _mm512_loadu_ps(row.scores.as_ptr().add(index * 16)) };
        let visible = row.visible.saturating_sub(index * 16).min(16);
        scores[index] = _mm512_mask_mov_ps(scores[index], ((1u32 << visible) - 1) as u16, all);
    }
    scores
}
