//! What is done with sums that have left the registers.

use std::arch::x86_64::{
    _MM_HINT_ET0, _mm_prefetch, _mm512_add_ps, _mm512_load_ps, _mm512_loadu_ps, _mm512_storeu_ps,
};

use super::registers::{Places, put_aside};
use super::{DEEP, LINES, SIDE, goes_on};
use crate::kernels::Tile;
use crate::kernels::avx512::round_normal;

/// Asks for the tile's elements of `C`, which are needed once the sums are done.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn expect_c(tile: &Tile, panels: usize) {
    for row in 0..tile.rows {
        for line in 0..panels * LINES {
            let c = tile.c.wrapping_add(row * tile.c_stride + line * SIDE);
            _mm_prefetch::<_MM_HINT_ET0>(c.cast());
        }
    }
}

/// Puts the sums aside, and after the last part takes them to their place. Sums of few steps that need no
/// more are written from the registers: the way through their lines is half the work.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel); the registers must hold the sums.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn finish(tile: &Tile, places: Places) {
    let plain = (!tile.accumulate || goes_on(tile)) && tile.bias.is_null() && !tile.round;
    // SAFETY: the caller's.
    unsafe {
        if tile.part.last && plain && tile.depth < DEEP {
            return places.store(tile.c, tile.c_stride);
        }
        put_aside(tile, places);
        if tile.part.last {
            finish_rows(tile, 0, places.panels());
        }
    }
}

/// Takes the sums of a tile that [`sums_wait`](super::sums_wait) for another to their place.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel); the tile's kernel must have been run.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(in super::super) unsafe fn finish_waiting(tile: &Tile) {
    // SAFETY: the caller's.
    unsafe { finish_rows(tile, 0, 1) }
}

/// Adds what `C` held and the bias to the sums that were put aside, rounds, and stores: the rows from
/// `first` on.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel); the sums must have been put aside.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn finish_rows(tile: &Tile, first: usize, panels: usize) {
    let store = match (tile.accumulate && !goes_on(tile), !tile.bias.is_null(), tile.round) {
        (false, false, false) => store::<false, false, false>,
        (false, false, true) => store::<false, false, true>,
        (false, true, false) => store::<false, true, false>,
        (false, true, true) => store::<false, true, true>,
        (true, false, false) => store::<true, false, false>,
        (true, false, true) => store::<true, false, true>,
        (true, true, false) => store::<true, true, false>,
        (true, true, true) => store::<true, true, true>,
    };
    // SAFETY: the caller's.
    unsafe { store(tile, first, panels * LINES) }
}

/// [`finish_rows`] for one case, of `lines` lines a row.
///
/// # Safety
/// As [`finish_rows`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn store<const ACCUMULATE: bool, const BIAS: bool, const ROUND: bool>(
    tile: &Tile,
    first: usize,
    lines: usize,
) {
    for row in first..tile.rows {
        for line in 0..lines {
            // SAFETY: `C` and the bias have every row and column of the tile, the sums every row.
            unsafe {
                let mut sum = _mm512_load_ps(tile.sums.add(row * lines + line).cast());
                let c = tile.c.add(row * tile.c_stride + line * SIDE);
                if ACCUMULATE {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(c));
                }
                if BIAS {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias.add(line * SIDE)));
                }
                _mm512_storeu_ps(c, if ROUND { round_normal(sum) } else { sum });
            }
        }
    }
}
