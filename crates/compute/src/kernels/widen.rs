//! Products of bf16 numbers on processors that multiply only `f32`.

use std::cell::Cell;
use std::ops::Range;

use super::product::{Finish, Output, Panels, Rows, multiply};
use super::{Kernels, LINES, Line, PANEL, for_each_level};
use crate::{KernelLevel, Precision};

thread_local! {
    /// The panel at hand as `f32`, kept between calls.
    static WIDE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// [`multiply`] of pairs of bf16 numbers, each panel widened once for all rows. The sums are those of the
/// tiles that widen in registers, bit by bit: both add product after product.
///
/// # Safety
/// As [`multiply`].
pub(super) unsafe fn multiply_widened(
    kernels: Kernels,
    (a, b): (Rows<'_>, &Panels<'_>),
    range: Range<usize>,
    output: Output,
    finish: Finish<'_>,
) {
    let (full, depth) = (Kernels { precision: Precision::F32, ..kernels }, 2 * b.steps.len());
    let mut wide = WIDE.take();
    wide.resize(wide.len().max(depth * LINES), Line::ZERO);
    let steps = b.steps.start * LINES..b.steps.end * LINES;
    for panel in range.clone() {
        let lines = &b.panel(panel)[steps.clone()];
        let next = if panel + 1 < range.end { &b.panel(panel + 1)[steps.clone()] } else { b.next };
        widen(kernels.level, lines, &mut wide);
        let finish = Finish { bias: finish.bias.map(|bias| &bias[panel * PANEL..]), ..finish };
        let panels = Panels { next, ..Panels::new(&wide, depth, 0..depth) };
        // SAFETY: the caller's.
        unsafe { multiply(full, (a, &panels), 0..1, output.right_of(panel), finish) }
    }
    WIDE.set(wide);
}

/// Writes steps of pairs as twice as many of `f32`, the low halves of a step before the high ones.
fn widen(level: KernelLevel, pairs: &[Line], wide: &mut [Line]) {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        // SAFETY: a level is active only when the processor has its instructions.
        return unsafe { super::avx512_pack::widen(pairs, wide) };
    }
    widen_plainly(level, pairs, wide);
}

for_each_level! { fn widen_plainly(pairs: &[Line], wide: &mut [Line]) = widen_body }

#[inline(always)]
fn widen_body<const FUSED: bool>(pairs: &[Line], wide: &mut [Line]) {
    let wide = wide.as_chunks_mut::<{ 2 * LINES }>().0.iter_mut();
    for (pairs, wide) in pairs.as_chunks::<LINES>().0.iter().zip(wide) {
        for half in 0..LINES {
            for column in 0..16 {
                let pair = pairs[half].0[column];
                wide[half].0[column] = pair << 16;
                wide[LINES + half].0[column] = pair & 0xFFFF_0000;
            }
        }
    }
}
