//! Tiles of up to 6 × 16 elements for NEON: 24 accumulators. One register holds four words of a row
//! of `A`, whose lanes the multiply-adds name one by one, so that nothing is broadcast; the two
//! registers left take words of `B`. Few rows take the 32 columns of a panel at once, to have sums
//! enough under way.

#![allow(clippy::needless_range_loop)]

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vaddq_u32, vandq_u32, vbslq_u32, vceqq_f32, vdupq_n_f32, vdupq_n_u32,
    vfmaq_laneq_f32, vld1q_f32, vorrq_u32, vreinterpretq_f32_u32, vreinterpretq_u32_f32,
    vshlq_n_u32, vshrq_n_u32, vst1q_f32,
};
use std::arch::asm;

use super::{PANEL, Tile, TileKernel};

/// Values of a register.
const LANES: usize = 4;

/// Accumulators of a tile: rows, vectors of columns.
type Sums<const R: usize, const V: usize> = [[float32x4_t; V]; R];

/// The kernels by number of rows, each with the vectors of columns it takes at once.
macro_rules! by_shape {
    ($name:ident, $kernel:ident, [$($rows:literal: $vectors:literal),*]) => {
        pub(super) fn $name(rows: usize) -> TileKernel {
            match rows {
                $($rows => $kernel::<$rows, $vectors>,)*
                rows => unreachable!("no NEON tile of {rows} rows"),
            }
        }
    };
}

by_shape!(full, tile_full, [1: 8, 2: 8, 3: 8, 4: 4, 5: 4, 6: 4]);
by_shape!(bf16_pairs, tile_bf16_pairs, [1: 8, 2: 8, 3: 8, 4: 4, 5: 4, 6: 4]);
// Widening takes two registers more than there would be beside 24 accumulators.
by_shape!(bf16_widened, tile_bf16_widened, [1: 8, 2: 8, 3: 4, 4: 4, 5: 4]);

/// A kernel: the instructions it needs, what adds the products of a step, and the steps that a
/// register of words of `A` feeds. Macros and plain loops: closures and calls that are not inlined
/// would pass the registers through memory.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $features:literal, $add:ident, [$($step:literal),*]) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        unsafe fn $name<const R: usize, const V: usize>(tile: &Tile) {
            const STEPS: usize = [$($step),*].len();
            const WORDS: usize = LANES / STEPS;
            let whole = tile.depth / STEPS * STEPS;
            for first in (0..PANEL).step_by(LANES * V) {
                let mut sums: Sums<R, V> = [[vdupq_n_f32(0.0); V]; R];
                for start in (0..whole).step_by(STEPS) {
                    // SAFETY: the caller gives `WORDS · depth` words per row of `A`, and
                    // `depth · PANEL` per panel.
                    unsafe {
                        let mut a = [vdupq_n_f32(0.0); R];
                        for row in 0..R {
                            let words = tile.a.add(row * tile.a_stride + start * WORDS);
                            a[row] = vld1q_f32(words.cast());
                        }
                        let b = tile.b.add(start * PANEL + first).cast::<f32>();
                        $($add!(sums, a, b.add($step * PANEL), $step);)*
                    }
                }
                if whole < tile.depth {
                    // SAFETY: as above.
                    unsafe {
                        let a = last_words::<R>(tile, whole * WORDS, tile.depth * WORDS);
                        let b = tile.b.add(whole * PANEL + first).cast::<f32>();
                        $(if whole + $step < tile.depth {
                            $add!(sums, a, b.add($step * PANEL), $step);
                        })*
                    }
                }
                // A copy, so that the sums themselves have no address and stay in registers.
                let sums = sums;
                // SAFETY: as the caller's.
                unsafe { finish(tile, first, &sums) }
            }
        }
    };
}

/// Adds the products of `f32` words.
macro_rules! add_full {
    ($sums:ident, $a:ident, $b:expr, $step:literal) => {
        for vector in 0..V {
            let b = vld1q_f32($b.add(vector * LANES));
            for row in 0..R {
                $sums[row][vector] = vfmaq_laneq_f32::<$step>($sums[row][vector], b, $a[row]);
            }
        }
    };
}

/// Adds the products of `f32` words of `A` and bf16 pairs of `B`, widened in registers.
macro_rules! add_widened {
    ($sums:ident, $a:ident, $b:expr, $step:literal) => {
        for vector in 0..V {
            let words = vreinterpretq_u32_f32(vld1q_f32($b.add(vector * LANES)));
            let low = vreinterpretq_f32_u32(vshlq_n_u32::<16>(words));
            for row in 0..R {
                let sum = $sums[row][vector];
                $sums[row][vector] = vfmaq_laneq_f32::<{ 2 * $step }>(sum, low, $a[row]);
            }
            let high = vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xFFFF_0000)));
            for row in 0..R {
                let sum = $sums[row][vector];
                $sums[row][vector] = vfmaq_laneq_f32::<{ 2 * $step + 1 }>(sum, high, $a[row]);
            }
        }
    };
}

/// Adds the products of bf16 pairs, by the instruction, which the standard library does not have yet.
macro_rules! add_pairs {
    ($sums:ident, $a:ident, $b:expr, $step:literal) => {
        for vector in 0..V {
            let b = vld1q_f32($b.add(vector * LANES));
            for row in 0..R {
                asm!(
                    concat!("bfdot {sum:v}.4s, {b:v}.8h, {a:v}.2h[", $step, "]"),
                    sum = inout(vreg) $sums[row][vector],
                    b = in(vreg) b,
                    a = in(vreg) $a[row],
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
    };
}

kernel! {
    /// `f32 × f32`.
    ///
    /// # Safety
    /// As [`TileKernel`].
    tile_full, "neon", add_full, [0, 1, 2, 3]
}

kernel! {
    /// bf16 pairs on both sides: two products and a sum per lane and instruction.
    ///
    /// # Safety
    /// As [`TileKernel`].
    tile_bf16_pairs, "neon,bf16", add_pairs, [0, 1, 2, 3]
}

kernel! {
    /// `f32` rows against bf16 pairs widened in registers: two steps of the inner index per word.
    ///
    /// # Safety
    /// As [`TileKernel`], with two words of `A` per step.
    tile_bf16_widened, "neon", add_widened, [0, 1]
}

/// The words `start..end` of every row of `A`, fewer than a register holds; zero beyond.
///
/// # Safety
/// Every row has them.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn last_words<const R: usize>(tile: &Tile, start: usize, end: usize) -> [float32x4_t; R] {
    let mut a = [vdupq_n_f32(0.0); R];
    for row in 0..R {
        let mut words = [0.0f32; LANES];
        // SAFETY: the caller's; a register is as long as `words`.
        unsafe {
            let from = tile.a.add(row * tile.a_stride + start).cast();
            words.as_mut_ptr().copy_from_nonoverlapping(from, end - start);
            a[row] = vld1q_f32(words.as_ptr());
        }
    }
    a
}

/// Adds what `C` held and the bias, rounds, and stores the columns that begin at `first`. It is
/// never inlined: the sums pass through memory once, here, and stay in registers before.
///
/// # Safety
/// As [`TileKernel`].
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn finish<const R: usize, const V: usize>(tile: &Tile, first: usize, sums: &Sums<R, V>) {
    for row in 0..R {
        for vector in 0..V {
            let (mut sum, column) = (sums[row][vector], first + vector * LANES);
            // SAFETY: `C` and the bias have every row and column of the tile.
            unsafe {
                let c = tile.c.add(row * tile.c_stride + column);
                if tile.accumulate {
                    sum = vaddq_f32(sum, vld1q_f32(c));
                }
                if !tile.bias.is_null() {
                    sum = vaddq_f32(sum, vld1q_f32(tile.bias.add(column)));
                }
                vst1q_f32(c, if tile.round { round(sum) } else { sum });
            }
        }
    }
}

/// Rounds to the nearest bf16, ties to even; NaN stays NaN.
#[inline]
#[target_feature(enable = "neon")]
fn round(values: float32x4_t) -> float32x4_t {
    let bits = vreinterpretq_u32_f32(values);
    let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
    let nudged = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
    let quiet = vorrq_u32(bits, vdupq_n_u32(0x0040_0000));
    let bits = vbslq_u32(vceqq_f32(values, values), nudged, quiet);
    vreinterpretq_f32_u32(vandq_u32(bits, vdupq_n_u32(0xFFFF_0000)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::Part;
    use crate::{KernelLevel, mix};

    /// Rounds to odd: cuts off, and sets the last bit where that lost something. Denormal numbers
    /// become zero, what is too large infinite.
    fn to_odd(value: f64) -> f32 {
        const REST: u64 = (1 << 29) - 1;
        if value.abs() < f64::from(f32::MIN_POSITIVE) {
            return 0.0f32.copysign(value as f32);
        }
        let cut = f64::from_bits(value.to_bits() & !REST) as f32;
        let lost = value.is_finite() && cut.is_finite() && value.to_bits() & REST != 0;
        f32::from_bits(cut.to_bits() | u32::from(lost))
    }

    /// `a + b`, rounded to odd in `f64`, which leaves the second rounding right, and then in `f32`.
    fn add(a: f32, b: f32) -> f32 {
        let (a, b) = (f64::from(a), f64::from(b));
        let sum = a + b;
        let other = sum - a;
        let lost = (a - (sum - other)) + (b - other);
        if lost == 0.0 || lost.is_nan() {
            return to_odd(sum);
        }
        let beyond = lost.is_sign_negative() == sum.is_sign_positive();
        to_odd(f64::from_bits((sum.to_bits() - u64::from(beyond)) | 1))
    }

    /// `sum` and the products of a pair, as the instruction's description has it.
    fn twin(sum: f32, (a, b): (u32, u32)) -> f32 {
        let halves = |word: u32| [word << 16, word & 0xFFFF_0000].map(f32::from_bits);
        let normal = |x: f32| if x.is_subnormal() { 0.0f32.copysign(x) } else { x };
        let [a, b] = [a, b].map(|word| halves(word).map(normal).map(f64::from));
        add(sum, add(to_odd(a[0] * b[0]), to_odd(a[1] * b[1])))
    }

    /// A tile's sums of pairs by the kernel, `[rows, PANEL]`.
    fn by_kernel(rows: usize, depth: usize, a: &[u32], b: &[u32]) -> Vec<f32> {
        let mut c = vec![f32::NAN; rows * PANEL];
        let tile = Tile {
            rows,
            rows_before: 0,
            depth,
            part: Part { first: true, last: true },
            sums: std::ptr::null_mut(),
            a: a.as_ptr(),
            a_stride: depth,
            b: b.as_ptr(),
            b_stride: 0,
            c: c.as_mut_ptr(),
            c_stride: PANEL,
            accumulate: false,
            bias: std::ptr::null(),
            round: false,
            waits: false,
            before: std::ptr::null(),
            ahead: std::ptr::null(),
        };
        // SAFETY: the operands have the tile's shape, and the caller looked for the instruction.
        unsafe { bf16_pairs(rows)(&tile) };
        c
    }

    proptest! {
        #[test]
        fn pairs_are_summed_as_the_instruction_is_described(
            rows in 1usize..7, depth in 0usize..10, spread in 0u32..9, seed: u64,
        ) {
            if !KernelLevel::NeonBf16.is_available() {
                return Ok(());
            }
            // Halves of either sign, their exponents around one, at the widest any at all.
            let half = |index: usize| {
                let bits = mix(seed ^ index as u64) as u32;
                let above = (bits >> 16) & ((1 << spread) - 1);
                let exponent = (127 + above).wrapping_sub((1 << spread) / 2) & 0xFF;
                (bits & 0x807F) | (exponent << 7)
            };
            let word = |index: usize| half(2 * index) | (half(2 * index + 1) << 16);
            let a: Vec<u32> = (0..rows * depth).map(word).collect();
            let b: Vec<u32> = (0..PANEL * depth).map(|index| word(index + 1000)).collect();
            let found = by_kernel(rows, depth, &a, &b);
            for (row, column) in (0..rows).flat_map(|row| (0..PANEL).map(move |c| (row, c))) {
                let words = |step: usize| (a[row * depth + step], b[step * PANEL + column]);
                let expected = (0..depth).map(words).fold(0.0, twin);
                let found = found[row * PANEL + column];
                let alike = found.to_bits() == expected.to_bits();
                prop_assert!(alike || found.is_nan() && expected.is_nan(), "{found} {expected}");
            }
        }
    }
}
