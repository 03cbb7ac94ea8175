//! Tiles of up to 12 × 32 elements for AVX-512: 24 accumulators, two loads of `B`, one broadcast.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, _CMP_UNORD_Q, _MM_HINT_ET0, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch,
    _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_or_epi32, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srli_epi32,
    _mm512_storeu_ps,
};
use std::mem::transmute;

use super::{PANEL, Tile, TileKernel};

/// Accumulators of a tile: rows, panels, halves of a panel.
type Sums<const R: usize, const P: usize> = [[[__m512; 2]; P]; R];

/// The kernels by number of rows and panels.
macro_rules! by_shape {
    ($name:ident, $kernel:ident) => {
        pub(super) fn $name(rows: usize, panels: usize) -> TileKernel {
            match (rows, panels) {
                (1, 4) => $kernel::<1, 4>,
                (2, 4) => $kernel::<2, 4>,
                (3, 2) => $kernel::<3, 2>,
                (4, 2) => $kernel::<4, 2>,
                (5, 2) => $kernel::<5, 2>,
                (6, 2) => $kernel::<6, 2>,
                (1, 1) => $kernel::<1, 1>,
                (2, 1) => $kernel::<2, 1>,
                (3, 1) => $kernel::<3, 1>,
                (4, 1) => $kernel::<4, 1>,
                (5, 1) => $kernel::<5, 1>,
                (6, 1) => $kernel::<6, 1>,
                (7, 1) => $kernel::<7, 1>,
                (8, 1) => $kernel::<8, 1>,
                (9, 1) => $kernel::<9, 1>,
                (10, 1) => $kernel::<10, 1>,
                (11, 1) => $kernel::<11, 1>,
                (12, 1) => $kernel::<12, 1>,
                shape => unreachable!("no AVX-512 tile of {shape:?}"),
            }
        }
    };
}

by_shape!(full, tile_full);
by_shape!(bf16_pairs, tile_bf16_pairs);
by_shape!(bf16_widened, tile_bf16_widened);

/// The words of every panel at one step. A macro and plain loops, here and below: closures and
/// calls that are not inlined would pass the registers through memory.
macro_rules! load_panels {
    ($tile:ident, $step:ident) => {{
        let mut b = [[_mm512_setzero_si512(); 2]; P];
        for panel in 0..P {
            let start = $tile.b.add(panel * $tile.b_stride + $step * PANEL);
            b[panel] = [_mm512_loadu_si512(start.cast()), _mm512_loadu_si512(start.add(16).cast())];
        }
        b
    }};
}

/// A function that adds what `C` held and the bias, rounds, and stores. It is never inlined: the
/// sums pass through memory once, here, and stay in registers before.
macro_rules! finish {
    ($name:ident, $features:literal, $round:ident) => {
        /// # Safety
        /// As [`TileKernel`].
        #[inline(never)]
        #[target_feature(enable = $features)]
        unsafe fn $name<const R: usize, const P: usize>(tile: &Tile, sums: &Sums<R, P>) {
            for row in 0..R {
                for index in 0..2 * P {
                    let mut sum = sums[row][index / 2][index % 2];
                    // SAFETY: `C` and the bias have every row and column of the tile.
                    unsafe {
                        let c = tile.c.add(row * tile.c_stride + index * 16);
                        if tile.accumulate {
                            sum = _mm512_add_ps(sum, _mm512_loadu_ps(c));
                        }
                        if !tile.bias.is_null() {
                            sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias.add(index * 16)));
                        }
                        _mm512_storeu_ps(c, if tile.round { $round(sum) } else { sum });
                    }
                }
            }
        }
    };
}

finish!(finish, "avx512f", round);
finish!(finish_normal, "avx512f,avx512bf16", round_normal);

/// Steps from the one that is computed to the one whose words of `B` are asked for: one page of a
/// panel, at whose end the processor's own prefetching stops.
const AHEAD: usize = 32;

/// Asks for the tile's elements of `C`, which are needed once the sums are done.
#[inline]
#[target_feature(enable = "avx512f")]
fn expect_c<const R: usize, const P: usize>(tile: &Tile) {
    for row in 0..R {
        for index in 0..2 * P {
            let c = tile.c.wrapping_add(row * tile.c_stride + index * 16);
            _mm_prefetch::<_MM_HINT_ET0>(c.cast());
        }
    }
}

/// Asks for the words of every panel some steps after `step`, and for a line of what follows the product.
#[inline]
#[target_feature(enable = "avx512f")]
fn expect_b<const P: usize>(tile: &Tile, step: usize) {
    _mm_prefetch::<_MM_HINT_T1>(tile.ahead.wrapping_add(step * 16).cast());
    for panel in 0..P {
        let start = tile.b.wrapping_add(panel * tile.b_stride + (step + AHEAD) * PANEL);
        _mm_prefetch::<_MM_HINT_T0>(start.cast());
        _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(16).cast());
    }
}

/// `f32 × f32`.
///
/// # Safety
/// As [`TileKernel`].
#[target_feature(enable = "avx512f")]
unsafe fn tile_full<const R: usize, const P: usize>(tile: &Tile) {
    expect_c::<R, P>(tile);
    let mut sums: Sums<R, P> = [[[_mm512_setzero_ps(); 2]; P]; R];
    for step in 0..tile.depth {
        expect_b::<P>(tile, step);
        // SAFETY: the caller gives `depth` words per row of `A` and `depth · PANEL` per panel.
        unsafe {
            let b = load_panels!(tile, step);
            for row in 0..R {
                let a = tile.a.add(row * tile.a_stride + step).cast::<f32>();
                let a = _mm512_set1_ps(*a);
                for panel in 0..P {
                    for half in 0..2 {
                        let b = _mm512_castsi512_ps(b[panel][half]);
                        sums[row][panel][half] = _mm512_fmadd_ps(a, b, sums[row][panel][half]);
                    }
                }
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe { finish(tile, &sums) }
}

/// bf16 pairs on both sides: two products and a sum per lane and instruction.
///
/// # Safety
/// As [`TileKernel`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile_bf16_pairs<const R: usize, const P: usize>(tile: &Tile) {
    expect_c::<R, P>(tile);
    let mut sums: Sums<R, P> = [[[_mm512_setzero_ps(); 2]; P]; R];
    for step in 0..tile.depth {
        expect_b::<P>(tile, step);
        // SAFETY: the caller gives `depth` words per row of `A` and `depth · PANEL` per panel;
        // both register types are 64 bytes without invalid values.
        unsafe {
            let b = load_panels!(tile, step);
            for row in 0..R {
                let a = *tile.a.add(row * tile.a_stride + step);
                let a: __m512bh = transmute(_mm512_set1_epi32(a.cast_signed()));
                for panel in 0..P {
                    for half in 0..2 {
                        let b: __m512bh = transmute(b[panel][half]);
                        sums[row][panel][half] = _mm512_dpbf16_ps(sums[row][panel][half], a, b);
                    }
                }
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe { finish_normal(tile, &sums) }
}

/// `f32` rows against bf16 pairs widened in registers: two steps of the inner index per word.
///
/// # Safety
/// As [`TileKernel`], with two words of `A` per step.
#[target_feature(enable = "avx512f")]
unsafe fn tile_bf16_widened<const R: usize, const P: usize>(tile: &Tile) {
    expect_c::<R, P>(tile);
    let mut sums: Sums<R, P> = [[[_mm512_setzero_ps(); 2]; P]; R];
    let high_half = _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed());
    for step in 0..tile.depth {
        expect_b::<P>(tile, step);
        // SAFETY: the caller gives `2 · depth` words per row of `A`, `depth · PANEL` per panel.
        unsafe {
            let words = load_panels!(tile, step);
            for odd in 0..2 {
                let mut b = [[_mm512_setzero_ps(); 2]; P];
                for panel in 0..P {
                    for half in 0..2 {
                        let word = words[panel][half];
                        let even = _mm512_slli_epi32::<16>(word);
                        let bits = if odd == 0 { even } else { _mm512_and_si512(word, high_half) };
                        b[panel][half] = _mm512_castsi512_ps(bits);
                    }
                }
                for row in 0..R {
                    let a = tile.a.add(row * tile.a_stride + 2 * step + odd).cast::<f32>();
                    let a = _mm512_set1_ps(*a);
                    for panel in 0..P {
                        for half in 0..2 {
                            let sum = sums[row][panel][half];
                            sums[row][panel][half] = _mm512_fmadd_ps(a, b[panel][half], sum);
                        }
                    }
                }
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe { finish(tile, &sums) }
}

/// Rounds to the nearest bf16, ties to even; NaN stays NaN.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn round(values: __m512) -> __m512 {
    let bits = _mm512_castps_si512(values);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let nudged = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
    let nudged = _mm512_mask_or_epi32(nudged, nan, bits, _mm512_set1_epi32(0x0040_0000));
    let high_half = _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed());
    _mm512_castsi512_ps(_mm512_and_si512(nudged, high_half))
}

/// Rounds to the nearest bf16 by the instruction, which makes zeros of denormal numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn round_normal(values: __m512) -> __m512 {
    // SAFETY: both types are 32 bytes without invalid values.
    let halves: __m256i = unsafe { transmute(_mm512_cvtneps_pbh(values)) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}
