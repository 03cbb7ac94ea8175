//! The weights of a softmax for AVX-512: a row of scores stays in registers.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, __mmask16, _CMP_NLT_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEG_INF,
    _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
    _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_cmp_ps_mask,
    _mm512_mask_max_ps, _mm512_mask_mov_ps, _mm512_maskz_add_epi32, _mm512_maskz_scalef_ps,
    _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_reduce_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_sub_ps,
};
use std::mem::transmute;

use super::PANEL;
use super::avx512::round;
use super::weights::{KEYS, ROWS, ScoreRows, Weighed, larger};
use crate::exponential::{EXP2_BF16, EXP2_BF16_ABOVE, EXP2_FULL, SMALLEST, TO_INTEGER};

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
        (scores, Weighed { reference: largest, sum: _mm512_reduce_add_ps(sum) })
    }};
}

/// Where the scores of a row are, panel by panel of the keys, and where its weights go, one after another.
#[derive(Clone, Copy)]
pub(super) struct RowPlace {
    pub(super) scores: *const f32,
    /// Numbers from one panel's scores to the next one's.
    pub(super) scores_stride: usize,
    pub(super) words: *mut u32,
}

impl RowPlace {
    /// The next row, `scores` numbers on, and its weights.
    pub(super) fn below(self, scores: usize) -> Self {
        let scores = self.scores.wrapping_add(scores);
        Self { scores, words: self.words.wrapping_add(KEYS / 2), ..self }
    }
}

/// Sum of the weights of a tile from which on they are made again, relative to a larger score: far from
/// what a number can hold, and rare.
const HEADROOM: f32 = (1u32 << 20) as f32;

/// Weights in pairs of bf16.
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
pub(super) fn pairs(
    rows: &ScoreRows<'_>,
    words: &mut [[u32; KEYS / 2]],
    weighed: &mut [Weighed; ROWS],
) {
    for (row, (scores, words)) in rows.scores.iter().zip(words).enumerate() {
        let (scores, words) = (scores.as_ptr(), words.as_mut_ptr());
        let place = RowPlace { scores, scores_stride: PANEL, words };
        // SAFETY: the row has the scores and words of every panel.
        weighed[row] =
            unsafe { pairs_of_row(place, rows.visible[row], rows.before[row], rows.factor) };
    }
}

/// The weights of one row in pairs of bf16. Any score will do to compare with that leaves the sum in
/// its range, so the one that the keys before were compared with is tried before another is looked for.
///
/// # Safety
/// The place must be valid for every panel of a tile of [`KEYS`] keys.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
pub(super) unsafe fn pairs_of_row(
    place: RowPlace,
    visible: usize,
    before: f32,
    factor: f32,
) -> Weighed {
    // SAFETY: the caller's.
    unsafe {
        if before > f32::NEG_INFINITY {
            let sum = match visible {
                KEYS.. => write_pairs::<false>(place, visible, before, factor),
                _ => write_pairs::<true>(place, visible, before, factor),
            };
            if sum < HEADROOM {
                return Weighed { reference: before, sum };
            }
        }
        let reference = larger(before, largest_of(place.scores, place.scores_stride, visible));
        Weighed { reference, sum: write_pairs::<true>(place, visible, reference, factor) }
    }
}

/// Writes the weights of a row relative to the score `reference`, and gives their sum.
///
/// # Safety
/// As [`pairs_of_row`].
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
unsafe fn write_pairs<const MASKED: bool>(
    place: RowPlace,
    visible: usize,
    reference: f32,
    factor: f32,
) -> f32 {
    let (reference, factor) = (_mm512_set1_ps(reference), _mm512_set1_ps(factor));
    let mut sums = [_mm512_setzero_ps(); 2];
    for panel in 0..KEYS / PANEL {
        let mut pair = [_mm512_setzero_ps(); 2];
        for half in 0..2 {
            // SAFETY: the caller's.
            let scores = unsafe {
                _mm512_loadu_ps(place.scores.add(panel * place.scores_stride + half * 16))
            };
            let exponent = _mm512_mul_ps(_mm512_sub_ps(scores, reference), factor);
            let smallest = _mm512_set1_ps(SMALLEST);
            // Below, weights are 0: denormal numbers would take a hundred times as long.
            let counts = if MASKED {
                let seen = seen(visible, panel * PANEL + half * 16);
                _mm512_mask_cmp_ps_mask::<_CMP_NLT_UQ>(seen, exponent, smallest)
            } else {
                _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(exponent, smallest)
            };
            let fraction = _mm512_reduce_ps::<ABOVE_INTEGER>(exponent);
            let mut power = _mm512_set1_ps(EXP2_BF16_ABOVE[0]);
            for coefficient in &EXP2_BF16_ABOVE[1..] {
                power = _mm512_fmadd_ps(power, fraction, _mm512_set1_ps(*coefficient));
            }
            pair[half] = _mm512_maskz_scalef_ps(counts, power, exponent);
            sums[half] = _mm512_add_ps(sums[half], pair[half]);
        }
        // SAFETY: the caller's; both register types are 64 bytes without invalid values.
        unsafe {
            let pairs = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(pair[1], pair[0]));
            _mm512_storeu_si512(place.words.add(panel * PANEL / 2).cast(), pairs);
        }
    }
    _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]))
}

/// What is left of a number above the integer below it, without signals.
const ABOVE_INTEGER: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;

/// The largest score that a row sees, its panels `stride` numbers apart.
///
/// # Safety
/// The scores of every panel of a tile of [`KEYS`] keys must be there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn largest_of(scores: *const f32, stride: usize, visible: usize) -> f32 {
    let mut largest = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
    for index in 0..VECTORS {
        let (panel, half) = (index / 2, index % 2);
        // SAFETY: the caller's.
        let scores = unsafe { _mm512_loadu_ps(scores.add(panel * stride + half * 16)) };
        // The second operand where either is NaN: a NaN score does not count here.
        let seen = seen(visible, index * 16);
        largest[half] = _mm512_mask_max_ps(largest[half], seen, scores, largest[half]);
    }
    _mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1]))
}

/// Which of the sixteen keys from the key `first` of the tile on are seen.
#[inline]
fn seen(visible: usize, first: usize) -> __mmask16 {
    ((1u32 << visible.saturating_sub(first).min(16)) - 1) as __mmask16
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
    for (row, scores) in rows.scores.iter().enumerate().take(ROWS) {
        // SAFETY: a row has the scores of every panel.
        let own = unsafe { largest_of(scores.as_ptr(), PANEL, rows.visible[row]) };
        largest[row] = larger(rows.before[row], own);
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
        let seen = seen(rows.visible[row], index * 16);
        scores[index] = _mm512_mask_mov_ps(scores[index], seen, all);
    }
    scores
}
