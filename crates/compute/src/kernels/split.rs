//! Products of f32 matrices by the instructions for bf16.
//!
//! A number is the sum of two of bf16, of which the second is what the first leaves, within 2⁻¹⁷ of its
//! size. Of the four products of two such sums the one of the two small parts is left out (as oneDNN's
//! `bf16x2` mode and others do).

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::product::{Finish, Output, Panels, Rows, multiply};
use super::share::{share, together};
use super::{Kernels, Line, PANEL, Words, for_each_level, pack_matrix, store_row};
use crate::precision::round_bf16;
use crate::{KernelLevel, LinearInput, Matrix, MatrixRef, Precision};

thread_local! {
    /// The small parts of the rows, kept between calls.
    static SMALL: Cell<Words> = const { Cell::new(Words::new()) };
    /// The small parts of one row as numbers.
    static ROW: Cell<Words> = const { Cell::new(Words::new()) };
}

/// A square matrix as the right operand, `[panels][depth][PANEL]` words for each part.
pub(crate) struct SplitPanels {
    kernels: Kernels,
    large: Vec<Line>,
    small: Vec<Line>,
    n: usize,
}

impl SplitPanels {
    pub(crate) fn new(level: KernelLevel, mut matrix: Matrix) -> Self {
        let kernels = Kernels { level, precision: Precision::Bf16 };
        let n = matrix.rows();
        let large = pack_matrix(kernels, matrix.view());
        let rows = matrix.as_mut_slice().par_chunks_mut(n.max(1));
        rows.for_each(|row| leave_small(level, row));
        let small = pack_matrix(kernels, matrix.view());
        matrix.recycle();
        Self { kernels, large, small, n }
    }

    /// `x · matrixᵀ` into `y`, `[rows, n]` both.
    pub(crate) fn multiply(&self, x: MatrixRef<'_>, y: &mut [f32]) {
        assert_eq!((x.cols(), x.rows() * self.n), (self.n, y.len()));
        let large = LinearInput::pack_for(self.kernels, x);
        let output = Output { start: y.as_mut_ptr(), stride: self.n, columns: self.n };
        share(&large, self.n.div_ceil(PANEL), together(&large), |rows, first, range| {
            let mut memory = SMALL.take();
            let part = x.view_rows(first..first + rows.count);
            let words = memory.first(rows.stride * rows.count);
            store_small(self.kernels, part, words, rows.stride);
            let small = Rows { words, ..rows };
            // SAFETY: the rows of these panels are this task's own.
            unsafe { self.run((rows, small), range, output.below(first)) }
            SMALL.set(memory);
        });
        large.recycle();
    }

    /// The panels `range`, one after another, the small products first.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn run(
        &self,
        (large, small): (Rows<'_>, Rows<'_>),
        range: Range<usize>,
        output: Output,
    ) {
        let depth = self.kernels.depth(self.n);
        for panel in range {
            let parts = [(small, &self.large), (large, &self.small), (large, &self.large)];
            for (index, (rows, lines)) in parts.into_iter().enumerate() {
                let panels = Panels::new(lines, depth, 0..depth);
                let finish = Finish { accumulate: index > 0, ..Finish::default() };
                // SAFETY: the caller's.
                unsafe {
                    multiply(self.kernels, (rows, &panels), panel..panel + 1, output, finish);
                }
            }
        }
    }
}

/// Writes what the nearest bf16 numbers leave of every row, `stride` words apart.
fn store_small(kernels: Kernels, x: MatrixRef<'_>, words: &mut [u32], stride: usize) {
    let mut memory = ROW.take();
    let values = memory.values(x.cols());
    for (row, words) in words.chunks_exact_mut(stride).enumerate().take(x.rows()) {
        values.copy_from_slice(x.row(row));
        leave_small(kernels.level, values);
        store_row(kernels, values, &mut words[..kernels.row_words(x.cols())]);
    }
    ROW.set(memory);
}

for_each_level! {
    /// Takes the nearest bf16 number from every value.
    fn leave_small(values: &mut [f32]) = leave_small_body
}

#[inline(always)]
fn leave_small_body<const FUSED: bool>(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value -= round_bf16(*value));
}
