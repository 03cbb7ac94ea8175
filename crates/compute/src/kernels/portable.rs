//! Tiles of up to 4 × 8 elements in plain Rust, for any processor.

use super::{PANEL, Tile, TileKernel};
use crate::Precision;

/// Columns of a tile: what four rows of accumulators leave registers for.
const COLUMNS: usize = 8;

macro_rules! by_shape {
    ($name:ident, $paired:literal) => {
        pub(super) fn $name(rows: usize) -> TileKernel {
            match rows {
                1 => tile::<1, $paired>,
                2 => tile::<2, $paired>,
                3 => tile::<3, $paired>,
                4 => tile::<4, $paired>,
                rows => unreachable!("no portable tile of {rows} rows"),
            }
        }
    };
}

by_shape!(full, false);
by_shape!(bf16_widened, true);

/// `f32` rows against `f32` words, or against bf16 pairs where `PAIRED`.
///
/// # Safety
/// As [`TileKernel`], with two words of `A` per step where `PAIRED`.
unsafe fn tile<const R: usize, const PAIRED: bool>(tile: &Tile) {
    for first in (0..PANEL).step_by(COLUMNS) {
        let mut sums = [[0.0f32; COLUMNS]; R];
        for step in 0..tile.depth {
            // SAFETY: a panel has `depth · PANEL` words, of which these are eight.
            let b = unsafe { *tile.b.add(step * PANEL + first).cast::<[u32; COLUMNS]>() };
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: a row of `A` has one word per step, two where `PAIRED`.
                unsafe {
                    let a = tile.a.add(row * tile.a_stride).cast::<f32>();
                    if PAIRED {
                        add_products(sums, *a.add(2 * step), b.map(|b| b << 16));
                        add_products(sums, *a.add(2 * step + 1), b.map(|b| b & 0xFFFF_0000));
                    } else {
                        add_products(sums, *a.add(step), b);
                    }
                }
            }
        }
        // SAFETY: as the caller's.
        unsafe { finish(tile, first, &sums) }
    }
}

#[inline(always)]
fn add_products(sums: &mut [f32; COLUMNS], a: f32, b: [u32; COLUMNS]) {
    for (sum, b) in sums.iter_mut().zip(b) {
        *sum += a * f32::from_bits(b);
    }
}

/// Adds what `C` held and the bias, rounds, and stores the columns that begin at `first`.
///
/// # Safety
/// As [`TileKernel`].
#[inline(always)]
unsafe fn finish<const R: usize>(tile: &Tile, first: usize, sums: &[[f32; COLUMNS]; R]) {
    let precision = if tile.round { Precision::Bf16 } else { Precision::F32 };
    for (row, sums) in sums.iter().enumerate() {
        for (column, &sum) in sums.iter().enumerate() {
            let (mut sum, column) = (sum, first + column);
            // SAFETY: `C` and the bias have every row and column of the tile.
            unsafe {
                let c = tile.c.add(row * tile.c_stride + column);
                if tile.accumulate {
                    sum += *c;
                }
                if !tile.bias.is_null() {
                    sum += *tile.bias.add(column);
                }
                *c = precision.round(sum);
            }
        }
    }
}
