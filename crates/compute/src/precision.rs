//! The arithmetic a forward pass runs in.

use half::bf16;
use rayon::prelude::*;

use crate::KernelLevel;
use crate::kernels::for_each_level;

/// How activations are rounded between operations.
///
/// Sums are always accumulated in `f32`. In [`Precision::Bf16`] every operation's result is rounded
/// to bf16, as PyTorch does for a bf16 model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Nothing is rounded beyond `f32`.
    F32,
    /// The results of every operation are rounded to the nearest bf16 (ties to even).
    Bf16,
}

impl Precision {
    /// Rounds one value. NaN stays NaN; what is too large becomes infinite.
    #[inline(always)]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Precision::F32 => value,
            Precision::Bf16 => round_bf16(value),
        }
    }

    /// Rounds every value in place.
    pub fn round_slice(self, values: &mut [f32]) {
        if self == Precision::Bf16 {
            let level = KernelLevel::active();
            values.par_chunks_mut(PIECE).for_each(|values| round_all(level, values));
        }
    }
}

/// Writes the nearest bf16 of every value.
///
/// # Panics
/// When the slices differ in length.
pub fn narrow(values: &[f32], narrow: &mut [bf16]) {
    assert_eq!(values.len(), narrow.len(), "a place for every value");
    let level = KernelLevel::active();
    let pieces = narrow.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE));
    pieces.for_each(|(narrow, values)| narrow_all(level, values, narrow));
}

/// Writes every value as an f32.
///
/// # Panics
/// When the slices differ in length.
pub fn widen(values: &[bf16], wide: &mut [f32]) {
    assert_eq!(values.len(), wide.len(), "a place for every value");
    let level = KernelLevel::active();
    let pieces = wide.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE));
    pieces.for_each(|(wide, values)| widen_all(level, values, wide));
}

for_each_level! { pub(crate) fn narrow_all(values: &[f32], narrow: &mut [bf16]) = narrow_body }
for_each_level! { pub(crate) fn widen_all(values: &[bf16], wide: &mut [f32]) = widen_body }

#[inline(always)]
fn narrow_body<const FUSED: bool>(values: &[f32], narrow: &mut [bf16]) {
    for (narrow, &value) in narrow.iter_mut().zip(values) {
        *narrow = bf16::from_bits((nudged(value) >> 16) as u16);
    }
}

#[inline(always)]
fn widen_body<const FUSED: bool>(values: &[bf16], wide: &mut [f32]) {
    for (wide, value) in wide.iter_mut().zip(values) {
        *wide = f32::from_bits(u32::from(value.to_bits()) << 16);
    }
}

/// Whether every value is a bf16 number.
pub(crate) fn all_bf16(values: &[f32]) -> bool {
    let level = KernelLevel::active();
    values.par_chunks(PIECE).all(|values| low_halves(level, values) == 0)
}

for_each_level! { fn low_halves(values: &[f32]) -> u32 = low_halves_body }

/// The bits that bf16 does not have, of all values together.
#[inline(always)]
fn low_halves_body<const FUSED: bool>(values: &[f32]) -> u32 {
    values.iter().fold(0, |bits, value| bits | value.to_bits()) & 0xFFFF
}

/// Values of one task of an element-by-element operation.
pub(crate) const PIECE: usize = 1 << 15;

for_each_level! { fn round_all(values: &mut [f32]) = round_body }

#[inline(always)]
fn round_body<const FUSED: bool>(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = round_bf16(*value));
}

/// The bits of the nearest bf16 in the high half; the low half is rubbish.
#[inline(always)]
fn nudged(value: f32) -> u32 {
    let bits = value.to_bits();
    let nudged = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1));
    if value.is_nan() { bits | 0x0040_0000 } else { nudged }
}

/// The nearest bf16, ties to even.
#[inline(always)]
pub(crate) fn round_bf16(value: f32) -> f32 {
    f32::from_bits(nudged(value) & 0xFFFF_0000)
}

/// Two values rounded to bf16 in one word, the first in the low half.
#[inline(always)]
pub(crate) fn bf16_pair(low: f32, high: f32) -> u32 {
    (nudged(low) >> 16) | (nudged(high) & 0xFFFF_0000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_half(bits: u32, other: u32) {
            let (low, high) = (f32::from_bits(bits), f32::from_bits(other));
            let expected = bf16::from_f32(low);
            prop_assert_eq!(round_bf16(low).to_bits(), expected.to_f32().to_bits());
            let pair = u32::from(expected.to_bits())
                | (u32::from(bf16::from_f32(high).to_bits()) << 16);
            prop_assert_eq!(bf16_pair(low, high), pair);
        }
    }

    #[test]
    fn one_value_with_more_bits_is_noticed() {
        let mut values: Vec<f32> = (0..100_000).map(|i| round_bf16(i as f32 * 0.37)).collect();
        values.extend([f32::INFINITY, f32::NAN, -0.0]);
        assert!(all_bf16(&values));
        for at in [0, 40_001, 100_002] {
            let before = std::mem::replace(&mut values[at], 1.001);
            assert!(!all_bf16(&values));
            values[at] = before;
        }
    }

    #[test]
    fn every_level_rounds_alike() {
        let special = [0u32, 1, 0x7FFF, 0x8000, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0xFFFF_FFFF];
        let ordinary = (0..4000u32).map(|i| i.wrapping_mul(0x9E37_79B9));
        let values: Vec<f32> = special.into_iter().chain(ordinary).map(f32::from_bits).collect();
        let expected: Vec<u32> =
            values.iter().map(|&x| bf16::from_f32(x).to_f32().to_bits()).collect();
        for level in KernelLevel::available() {
            let mut rounded = values.clone();
            round_all(level, &mut rounded);
            let bits: Vec<u32> = rounded.iter().map(|x| x.to_bits()).collect();
            assert_eq!(bits, expected, "{level}");
            let mut narrow = vec![bf16::ZERO; values.len()];
            narrow_all(level, &values, &mut narrow);
            let mut wide = vec![0.0; values.len()];
            widen_all(level, &narrow, &mut wide);
            let bits: Vec<u32> = wide.iter().map(|x| x.to_bits()).collect();
            assert_eq!(bits, expected, "{level}");
        }
    }
}
