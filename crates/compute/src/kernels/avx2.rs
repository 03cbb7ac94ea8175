//! Tiles of up to 6 × 16 elements for AVX2 with FMA; a panel is done in two halves.

#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m256, _CMP_UNORD_Q, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps,
};

use super::{PANEL, Tile, TileKernel};

type Sums<const R: usize> = [[__m256; 2]; R];

macro_rules! by_shape {
    ($name:ident, $kernel:ident) => {
        pub(super) fn $name(rows: usize) -> TileKernel {
            match rows {
                1 => $kernel::<1>,
                2 => $kernel::<2>,
                3 => $kernel::<3>,
                4 => $kernel::<4>,
                5 => $kernel::<5>,
                6 => $kernel::<6>,
                rows => unreachable!("no AVX2 tile of {rows} rows"),
            }
        }
    };
}

by_shape!(full, tile_full);
by_shape!(bf16_widened, tile_bf16_widened);

/// `f32 × f32`.
///
/// # Safety
/// As [`TileKernel`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_full<const R: usize>(tile: &Tile) {
    for first in (0..PANEL).step_by(16) {
        let mut sums: Sums<R> = [[_mm256_setzero_ps(); 2]; R];
        for step in 0..tile.depth {
            // SAFETY: the caller gives `depth` words per row of `A`, `depth · PANEL` per panel.
            unsafe {
                let b = tile.b.add(step * PANEL + first).cast::<f32>();
                let b = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
                for row in 0..R {
                    let a = tile.a.add(row * tile.a_stride + step).cast::<f32>();
                    let a = _mm256_set1_ps(*a);
                    sums[row][0] = _mm256_fmadd_ps(a, b[0], sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(a, b[1], sums[row][1]);
                }
            }
        }
        // SAFETY: as the caller's.
        unsafe { finish(tile, first, &sums) }
    }
}

/// `f32` rows against bf16 pairs widened in registers: two steps of the inner index per word.
///
/// # Safety
/// As [`TileKernel`], with two words of `A` per step.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_bf16_widened<const R: usize>(tile: &Tile) {
    let high_half = _mm256_set1_epi32(0xFFFF_0000_u32.cast_signed());
    for first in (0..PANEL).step_by(16) {
        let mut sums: Sums<R> = [[_mm256_setzero_ps(); 2]; R];
        for step in 0..tile.depth {
            // SAFETY: the caller gives `2 · depth` words per row of `A`, `depth · PANEL` per panel.
            unsafe {
                let b = tile.b.add(step * PANEL + first);
                let words = [_mm256_loadu_si256(b.cast()), _mm256_loadu_si256(b.add(8).cast())];
                for odd in 0..2 {
                    let mut b = [_mm256_setzero_ps(); 2];
                    for half in 0..2 {
                        let even = _mm256_slli_epi32::<16>(words[half]);
                        let high = _mm256_and_si256(words[half], high_half);
                        b[half] = _mm256_castsi256_ps(if odd == 0 { even } else { high });
                    }
                    for row in 0..R {
                        let a = tile.a.add(row * tile.a_stride + 2 * step + odd).cast::<f32>();
                        let a = _mm256_set1_ps(*a);
                        sums[row][0] = _mm256_fmadd_ps(a, b[0], sums[row][0]);
                        sums[row][1] = _mm256_fmadd_ps(a, b[1], sums[row][1]);
                    }
                }
            }
        }
        // SAFETY: as the caller's.
        unsafe { finish(tile, first, &sums) }
    }
}

/// Adds what `C` held and the bias, rounds, and stores the half panel that begins at `first`.
///
/// # Safety
/// As [`TileKernel`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish<const R: usize>(tile: &Tile, first: usize, sums: &Sums<R>) {
    for row in 0..R {
        for half in 0..2 {
            let (mut sum, column) = (sums[row][half], first + half * 8);
            // SAFETY: `C` and the bias have every row and column of the tile.
            unsafe {
                let c = tile.c.add(row * tile.c_stride + column);
                if tile.accumulate {
                    sum = _mm256_add_ps(sum, _mm256_loadu_ps(c));
                }
                if !tile.bias.is_null() {
                    sum = _mm256_add_ps(sum, _mm256_loadu_ps(tile.bias.add(column)));
                }
                _mm256_storeu_ps(c, if tile.round { round(sum) } else { sum });
            }
        }
    }
}

/// Rounds to the nearest bf16, ties to even; NaN stays NaN.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn round(values: __m256) -> __m256 {
    let bits = _mm256_castps_si256(values);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let nudged = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
    let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(values, values);
    let (nudged, quiet) = (_mm256_castsi256_ps(nudged), _mm256_castsi256_ps(quiet));
    let bits = _mm256_castps_si256(_mm256_blendv_ps(nudged, quiet, nan));
    let high_half = _mm256_set1_epi32(0xFFFF_0000_u32.cast_signed());
    _mm256_castsi256_ps(_mm256_and_si256(bits, high_half))
}
