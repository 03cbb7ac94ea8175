//! Attention of a tile of keys, a block of rows at a time.
//!
//! What one step leaves for the next stays near. Making the weights of one block between the products of
//! another saves nothing: beside the matrix unit, multiplications of long vectors run at half their rate.

use std::arch::asm;
use std::ops::Range;

use super::registers::{configure, release, zero};
use super::{LINES, PANEL, SIDE};
use crate::kernels::avx512_weights::{RowPlace, pairs_of_row};
use crate::kernels::key_tile::{BLOCK, KeyTile, SCORES};
use crate::kernels::{KEYS, Line, Running};

const _: () = assert!(BLOCK == super::MAX_ROWS);

/// Adds a tile's weighted values to `running`.
///
/// # Safety
/// The processor must have the instructions. Queries, keys, values and what is running must have the sizes
/// that [`attend`](crate::kernels::attend) checks, `memory` [`SCORES`] and [`WEIGHTS`](crate::kernels::key_tile::WEIGHTS) lines.
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
pub(in super::super) unsafe fn attend(
    tile: &KeyTile<'_>,
    running: &mut Running<'_>,
    memory: &mut [Line],
) {
    let (scores, weights) = memory.split_at_mut(SCORES);
    let rows = tile.queries.count;
    // SAFETY: the caller's.
    unsafe {
        configure(BLOCK);
        for first in (0..rows).step_by(BLOCK) {
            score(tile, first, scores.as_mut_ptr().cast());
            let block = first..rows.min(first + BLOCK);
            weigh(tile, block, (scores.as_ptr().cast(), weights.as_mut_ptr().cast()), running);
            add_values(tile, first, weights.as_ptr().cast(), running);
        }
        release();
    }
}

/// From the scores of a block of rows to its weights.
///
/// # Safety
/// As [`attend`]; the block must have been scored.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
unsafe fn weigh(
    tile: &KeyTile<'_>,
    rows: Range<usize>,
    (scores, words): (*const f32, *mut u32),
    running: &mut Running<'_>,
) {
    let mut place =
        RowPlace { scores, scores_stride: BLOCK * PANEL, words, words_stride: BLOCK * SIDE };
    // later rows see no less than the first one
    let all = tile.count == KEYS && (tile.visible)(rows.start) >= KEYS;
    for row in rows {
        let visible = if all { KEYS } else { (tile.visible)(row).min(tile.count) };
        let reference = running.references[row];
        // SAFETY: the caller's; the place is in the block.
        let weighed = unsafe { pairs_of_row(place, visible, reference, running.factor) };
        running.take(row, weighed);
        place = place.below(PANEL, SIDE);
    }
}

/// The scores of the block of rows from `row` on.
///
/// # Safety
/// As [`attend`]; `scores` must have room for [`SCORES`] lines.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
unsafe fn score(tile: &KeyTile<'_>, row: usize, scores: *mut f32) {
    let KeyTile { queries, keys, count, head_dim, .. } = *tile;
    let depth = head_dim / 2;
    for panel in 0..count / PANEL {
        // SAFETY: the caller's: block and panel have `depth` words in every row.
        unsafe {
            zero();
            for step in 0..depth / SIDE {
                let a = queries.words.as_ptr().add(row * queries.stride + step * SIDE);
                let b = keys.as_ptr().add((panel * depth + step * SIDE) * LINES);
                multiply((a, queries.stride), b);
            }
            store(scores.add(panel * BLOCK * PANEL), PANEL);
        }
    }
}

/// Adds the weighted values to those of the block of rows from `row` on.
///
/// # Safety
/// As [`attend`]; `weights` must hold the block's.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
unsafe fn add_values(
    tile: &KeyTile<'_>,
    row: usize,
    weights: *const u32,
    running: &mut Running<'_>,
) {
    let KeyTile { values, count, head_dim, .. } = *tile;
    for panel in 0..head_dim / PANEL {
        let first = row * head_dim + panel * PANEL;
        // SAFETY: the caller's: panels have `KEYS` keys, two to a word, and rows `head_dim` sums.
        unsafe {
            match tile.first {
                true => zero(),
                false => load(running.values.as_ptr().add(first), head_dim),
            }
            for step in 0..count / PANEL {
                let b = values.as_ptr().add((panel * KEYS / 2 + step * SIDE) * LINES);
                multiply((weights.add(step * BLOCK * SIDE), SIDE), b);
            }
            store(running.values.as_mut_ptr().add(first), head_dim);
        }
    }
}

/// One step: a block of rows, `stride` words apart, with as many words as a panel has in [`SIDE`] steps.
///
/// # Safety
/// The registers must be set up, and the words there.
#[inline]
unsafe fn multiply((a, stride): (*const u32, usize), b: *const Line) {
    // SAFETY: the caller's; nothing else uses the registers.
    unsafe {
        asm!(
            "tileloadd tmm6, [{b} + {b_stride}]",
            "tileloadd tmm4, [{a} + {a_stride}]",
            "tileloadd tmm7, [{b} + {b_stride} + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{below} + {a_stride}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            a = in(reg) a,
            below = in(reg) a.wrapping_add(SIDE * stride),
            a_stride = in(reg) 4 * stride,
            b = in(reg) b,
            b_stride = in(reg) size_of::<Line>() * LINES,
            options(nostack),
        );
    }
}

/// Makes the sums those of a block of rows, `stride` numbers apart, and one panel of columns.
///
/// # Safety
/// The registers must be set up, and the numbers there.
#[inline]
unsafe fn load(c: *const f32, stride: usize) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "tileloadd tmm0, [{c} + {stride}]",
            "tileloadd tmm1, [{c} + {stride} + 64]",
            "tileloadd tmm2, [{below} + {stride}]",
            "tileloadd tmm3, [{below} + {stride} + 64]",
            c = in(reg) c,
            below = in(reg) c.wrapping_add(SIDE * stride),
            stride = in(reg) size_of::<f32>() * stride,
            options(nostack),
        );
    }
}

/// Writes the sums to a block of rows, `stride` numbers apart, and one panel of columns.
///
/// # Safety
/// The registers must be set up, and the numbers there.
#[inline]
unsafe fn store(c: *mut f32, stride: usize) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "tilestored [{c} + {stride}], tmm0",
            "tilestored [{c} + {stride} + 64], tmm1",
            "tilestored [{below} + {stride}], tmm2",
            "tilestored [{below} + {stride} + 64], tmm3",
            c = in(reg) c,
            below = in(reg) c.wrapping_add(SIDE * stride),
            stride = in(reg) size_of::<f32>() * stride,
            options(nostack),
        );
    }
}
