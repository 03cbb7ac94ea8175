//! The depth of a tile as whole registers.

use std::mem::MaybeUninit;

use super::{LINES, MAX_ROWS, SIDE};
use crate::kernels::{Line, PANEL, Tile};

/// Where the words of one run along the depth begin.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// First word of the rows, and of those from [`SIDE`] on.
    pub(super) a: [*const u32; 2],
    /// Bytes between two rows.
    pub(super) a_stride: usize,
    /// First word of the panel, and of the next one.
    pub(super) b: [*const u32; 2],
    /// Whole registers of the depth.
    pub(super) steps: usize,
    /// First of the lines that are asked for, four a step.
    pub(super) ahead: *const u32,
}

/// Room for the words of a last, shorter step, filled up with zeros.
pub(super) struct Rest {
    a: [Line; MAX_ROWS],
    b: [[Line; SIDE * LINES]; 2],
}

/// The first words of the rows, and of those from [`SIDE`] on, `stride` words apart.
#[inline]
pub(super) fn both(a: *const u32, stride: usize) -> [*const u32; 2] {
    [a, a.wrapping_add(SIDE * stride)]
}

/// The depth as far as it goes in whole registers.
#[inline]
pub(super) fn whole(tile: &Tile) -> Run {
    Run {
        a: both(tile.a, tile.a_stride),
        a_stride: 4 * tile.a_stride,
        b: [tile.b, tile.b.wrapping_add(tile.b_stride)],
        steps: tile.depth / SIDE,
        ahead: tile.ahead,
    }
}

/// What is left of the depth: one step at most.
///
/// # Safety
/// The tile's words of `panels` panels must be there.
#[inline]
pub(super) unsafe fn rest(tile: &Tile, panels: usize, room: &mut MaybeUninit<Rest>) -> Option<Run> {
    let (steps, left) = (tile.depth / SIDE, tile.depth % SIDE);
    if left == 0 {
        return None;
    }
    let rest = room.write(Rest { a: [Line::ZERO; _], b: [[Line::ZERO; _]; 2] });
    // SAFETY: `left` words from the last whole register on belong to every row, and as many steps to
    // every panel; a line has 16 words and a panel of the rest 16 steps.
    unsafe {
        for (row, line) in rest.a.iter_mut().enumerate().take(tile.rows) {
            let words = tile.a.add(row * tile.a_stride + steps * SIDE);
            line.0.as_mut_ptr().copy_from_nonoverlapping(words, left);
        }
        for (panel, lines) in rest.b.iter_mut().enumerate().take(panels) {
            let words = tile.b.add(panel * tile.b_stride + steps * SIDE * PANEL);
            lines.as_mut_ptr().cast::<u32>().copy_from_nonoverlapping(words, left * PANEL);
        }
    }
    Some(Run {
        a: both(rest.a.as_ptr().cast(), SIDE),
        a_stride: size_of::<Line>(),
        b: [rest.b[0].as_ptr().cast(), rest.b[1].as_ptr().cast()],
        steps: 1,
        ahead: tile.ahead,
    })
}
