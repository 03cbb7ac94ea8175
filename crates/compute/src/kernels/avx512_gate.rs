//! The gate of an MLP for AVX-512, from sums to words in one go.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _CMP_LT_OQ, _mm512_abs_ps, _mm512_add_ps, _mm512_cmp_ps_mask,
    _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_mask_mul_ps,
    _mm512_mul_ps, _mm512_rcp14_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps,
    _mm512_storeu_si512, _mm512_sub_ps,
};
use std::mem::transmute;

use super::avx512::round_normal;
use super::gate::Row;
use crate::exponential::EXP2_BF16;

/// Nearest whole number, exceptions not reported.
const NEAREST: i32 = 0x08;

/// `silu(gate) · up` in pairs of bf16; the last word's high half is zero where one is missing.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn silu_pairs(row: Row<'_>, words: &mut [u32]) {
    let (gates, gates_left) = row.gate.as_chunks::<32>();
    let (ups, ups_left) = row.up.as_chunks::<32>();
    let (lines, words_left) = words.as_chunks_mut::<16>();
    for ((gate, up), line) in gates.iter().zip(ups).zip(lines.iter_mut()) {
        pairs(gate, up, line);
    }
    if !gates_left.is_empty() {
        let (mut gate, mut up, mut line) = ([0.0; 32], [0.0; 32], [0; 16]);
        gate[..gates_left.len()].copy_from_slice(gates_left);
        up[..ups_left.len()].copy_from_slice(ups_left);
        pairs(&gate, &up, &mut line);
        let words = lines.get_mut(gates.len()).map_or(words_left, |line| line.as_mut_slice());
        let count = gates_left.len().div_ceil(2);
        words[..count].copy_from_slice(&line[..count]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(gate: &[f32; 32], up: &[f32; 32], line: &mut [u32; 16]) {
    // SAFETY: 32 values of both are read, 16 words written; both types are 64 bytes without invalid
    // values. No closures: they would be compiled without the instructions.
    unsafe {
        let (gate, up) = (gate.as_ptr(), up.as_ptr());
        let low = gated(_mm512_loadu_ps(gate), _mm512_loadu_ps(up));
        let high = gated(_mm512_loadu_ps(gate.add(16)), _mm512_loadu_ps(up.add(16)));
        let pairs = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
        _mm512_storeu_si512(line.as_mut_ptr().cast(), pairs);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn gated(gate: __m512, up: __m512) -> __m512 {
    _mm512_mul_ps(round_normal(silu(gate)), up)
}

/// `x · sigmoid(x)` within 5e-6: enough for a value that is rounded to bf16.
#[inline]
#[target_feature(enable = "avx512f")]
fn silu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    // e = exp(-|x|), which is at most 1: nothing overflows
    let exponent = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(-std::f32::consts::LOG2_E));
    let whole = _mm512_roundscale_ps::<NEAREST>(exponent);
    let fraction = _mm512_sub_ps(exponent, whole);
    let mut power = _mm512_set1_ps(EXP2_BF16[0]);
    for factor in &EXP2_BF16[1..] {
        power = _mm512_fmadd_ps(power, fraction, _mm512_set1_ps(*factor));
    }
    let e = _mm512_scalef_ps(power, whole);
    // 1 / (1 + e): the estimate of 14 bits and one of Newton's steps
    let sum = _mm512_add_ps(one, e);
    let estimate = _mm512_rcp14_ps(sum);
    let error = _mm512_fnmadd_ps(sum, estimate, one);
    let sigmoid = _mm512_fmadd_ps(estimate, error, estimate);
    let negative = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, _mm512_set1_ps(0.0));
    let sigmoid = _mm512_mask_mul_ps(sigmoid, negative, sigmoid, e);
    _mm512_mul_ps(x, sigmoid)
}
