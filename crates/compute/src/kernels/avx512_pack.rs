//! Rows and panels for AVX-512.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_and_si512, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_permutex2var_epi32, _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_setr_epi32,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_si512,
};
use std::mem::transmute;

use super::pack::{LINES, Strided, widened};
use super::{Line, PANEL};

/// Values rounded to bf16, two to a word; the last word's high half is zero where one is missing.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn store_pairs(x: &[f32], words: &mut [u32]) {
    let (whole, rest) = x.as_chunks::<32>();
    let (lines, last) = words.as_chunks_mut::<16>();
    for (x, line) in whole.iter().zip(lines.iter_mut()) {
        *line = pairs(x).0;
    }
    if !rest.is_empty() {
        let mut padded = [0.0; 32];
        padded[..rest.len()].copy_from_slice(rest);
        let words = lines.get_mut(whole.len()).map_or(last, |line| line.as_mut_slice());
        let count = rest.len().div_ceil(2);
        words[..count].copy_from_slice(&pairs(&padded).0[..count]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(x: &[f32; 32]) -> Line {
    let mut line = Line::ZERO;
    // SAFETY: 32 values are read, 16 words written; both types are 64 bytes without invalid values.
    unsafe {
        let (low, high) = (_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(x.as_ptr().add(16)));
        let pairs = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
        _mm512_storeu_si512(line.0.as_mut_ptr().cast(), pairs);
    }
    line
}

/// [`super::pack_columns`] in pairs of bf16: word `i` of a step holds value `i` of one row, then of
/// the next.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn pack_columns(source: Strided<'_>, panel: &mut [Line]) {
    for (step, lines) in panel.as_chunks_mut::<LINES>().0.iter_mut().enumerate() {
        let row = |row| if row < source.rows { source.row(row) } else { &[] };
        let rows = (row(2 * step), row(2 * step + 1));
        if let (Ok(low), Ok(high)) = (rows.0.try_into(), rows.1.try_into()) {
            interleave(low, high, lines);
        } else {
            interleave(&widened(rows.0), &widened(rows.1), lines);
        }
    }
}

/// One step of a panel: two rows rounded to bf16, value by value in turn.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn interleave(low: &[f32; PANEL], high: &[f32; PANEL], lines: &mut [Line; LINES]) {
    // Word i takes the values i and i + 16 of the pair of vectors.
    const PLACES: [[i16; 2]; 16] = {
        let mut places = [[0; 2]; 16];
        let mut index = 0;
        while index < 16 {
            places[index] = [index as i16, index as i16 + 16];
            index += 1;
        }
        places
    };
    for (half, line) in lines.iter_mut().enumerate() {
        // SAFETY: both rows have 16 values from here on, the places and the line are 64 bytes; so
        // are both register types, which have no invalid values.
        unsafe {
            let low = _mm512_loadu_ps(low.as_ptr().add(half * 16));
            let high = _mm512_loadu_ps(high.as_ptr().add(half * 16));
            let values = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            let places = _mm512_loadu_si512(PLACES.as_ptr().cast());
            let words = _mm512_permutexvar_epi16(places, values);
            _mm512_storeu_si512(line.0.as_mut_ptr().cast(), words);
        }
    }
}

/// [`super::widen`]: the low halves of a step's words, then the high ones.
#[target_feature(enable = "avx512f")]
pub(super) fn widen(pairs: &[Line], wide: &mut [Line]) {
    let high_half = _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed());
    let wide = wide.as_chunks_mut::<{ 2 * LINES }>().0.iter_mut();
    for (pairs, wide) in pairs.as_chunks::<LINES>().0.iter().zip(wide) {
        for half in 0..LINES {
            // SAFETY: a line is 64 bytes.
            unsafe {
                let pairs = _mm512_loadu_si512(pairs[half].0.as_ptr().cast());
                let (low, high) =
                    (_mm512_slli_epi32::<16>(pairs), _mm512_and_si512(pairs, high_half));
                _mm512_storeu_si512(wide[half].0.as_mut_ptr().cast(), low);
                _mm512_storeu_si512(wide[LINES + half].0.as_mut_ptr().cast(), high);
            }
        }
    }
}

/// The columns of a square of words.
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(square: &[[u32; 16]; 16]) -> [Line; 16] {
    let mut rows = [_mm512_setzero_si512(); 16];
    for row in 0..16 {
        // SAFETY: a row is 64 bytes.
        rows[row] = unsafe { _mm512_loadu_si512(square[row].as_ptr().cast()) };
    }
    // Rows i and i + 8 interleaved word by word, four times: every word comes to its place.
    let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    for _ in 0..4 {
        let before = rows;
        for row in 0..8 {
            rows[2 * row] = _mm512_permutex2var_epi32(before[row], low, before[row + 8]);
            rows[2 * row + 1] = _mm512_permutex2var_epi32(before[row], high, before[row + 8]);
        }
    }
    let mut lines = [Line::ZERO; 16];
    for row in 0..16 {
        // SAFETY: a line is 64 bytes.
        unsafe { _mm512_storeu_si512(lines[row].0.as_mut_ptr().cast(), rows[row]) };
    }
    lines
}
