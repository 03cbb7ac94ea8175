//! Attention of a tile of keys, a block of rows at a time.
//!
//! What one step leaves for the next stays near. Making the weights of one block between the products of
//! another saves nothing: beside the matrix unit, multiplications of long vectors run at half their rate.

use std::ops::Range;

use super::registers::{TALL, configure, release, zero};
use super::runs::{Run, both};
use super::tiles::high_steps;
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
    let mut place = RowPlace { scores, scores_stride: BLOCK * PANEL, words };
    // later rows see no less than the first one
    let all = tile.count == KEYS && (tile.visible)(rows.start) >= KEYS;
    for row in rows {
        let visible = if all { KEYS } else { (tile.visible)(row).min(tile.count) };
        let reference = running.references[row];
        // SAFETY: the caller's; the place is in the block.
        let weighed = unsafe { pairs_of_row(place, visible, reference, running.factor) };
        running.take(row, weighed);
        place = place.below(PANEL);
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
    let rows = queries.words.as_ptr().wrapping_add(row * queries.stride);
    for panel in 0..count / PANEL {
        // SAFETY: the caller's: block and panel have `depth` words in every row.
        unsafe {
            zero();
            let keys = keys.as_ptr().add(panel * depth * LINES);
            high_steps(block_run((rows, queries.stride), keys, depth));
            TALL.store(scores.add(panel * BLOCK * PANEL), PANEL);
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
        // SAFETY: the caller's: panels have `KEYS` keys, two to a word, and rows `head_dim` sums.
        unsafe {
            let sums = running.values.as_mut_ptr().add(row * head_dim + panel * PANEL);
            match tile.first {
                true => zero(),
                false => TALL.load(sums, head_dim),
            }
            let values = values.as_ptr().add(panel * KEYS / 2 * LINES);
            high_steps(block_run((weights, KEYS / 2), values, count / 2));
            TALL.store(sums, head_dim);
        }
    }
}

/// The steps of a block of rows, `stride` words apart, and one panel, through `depth` words.
fn block_run((rows, stride): (*const u32, usize), panel: *const Line, depth: usize) -> Run {
    let panel = panel.cast();
    Run {
        a: both(rows, stride),
        a_stride: size_of::<u32>() * stride,
        b: [panel; 2],
        steps: depth / SIDE,
        ahead: panel,
    }
}
