//! Sums of products of the inputs of a layer.

use std::cell::Cell;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::kernels::{
    Kernels, Line, PANEL, Panels, Rows, Strided, Words, multiply_into, pack_columns, unpack_columns,
};
use crate::precision::all_bf16;
use crate::{KernelLevel, Matrix, MatrixRef, Precision};

/// Rows of the Gram matrix that one task makes, and fewer of a narrow one, which has few tasks.
const ROWS: usize = 192;
const ROWS_OF_NARROW: usize = 96;
const NARROW: usize = 2048;
/// Most steps (tokens, or pairs of them) summed before the sum is put aside in the Gram matrix.
const STEPS: usize = 256;

thread_local! {
    /// The inputs in panels, kept between calls.
    static PANELS: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    /// The columns of one task's inputs, kept between calls.
    static COLUMNS: Cell<Words> = const { Cell::new(Words::new()) };
}

/// Adds `xᵀx` (`x`: `[tokens, in]`) to the lower triangle of `gram`, `[in, in]`.
///
/// Values above the diagonal within the diagonal tiles are written as well; nothing may read them.
/// Each element is the f32 sum over the rows of `x` in one fixed order, added to what is there, so
/// the result does not depend on the number of threads; it does on how rows are split over calls.
///
/// Where every value of `x` is a bf16 number and the processor multiplies those, its instruction is
/// used: products of two bf16 numbers are exact in f32, so the sums are as good and take half the
/// time (but that `bfdot` rounds sums to odd, by up to one unit instead of a half). It reads and gives
/// denormal numbers as zero.
///
/// # Panics
/// When `gram` is not square of the width of `x`.
pub fn add_gram(x: MatrixRef<'_>, gram: &mut Matrix) {
    add_gram_at(KernelLevel::active(), x, gram);
}

fn add_gram_at(level: KernelLevel, x: MatrixRef<'_>, gram: &mut Matrix) {
    let width = x.cols();
    assert_eq!((gram.rows(), gram.cols()), (width, width), "one row and column per input");
    if width == 0 || x.rows() == 0 {
        return;
    }
    let rows = if width < NARROW { ROWS_OF_NARROW } else { ROWS };
    if level == KernelLevel::Portable {
        return add_by_library(x, gram, rows);
    }
    let pairs = level.multiplies_bf16() && all_bf16(x.as_slice());
    let precision = if pairs { Precision::Bf16 } else { Precision::F32 };
    add_by_kernels(Kernels { level, precision }, x, gram, rows);
}

/// The sums by faer, which knows the instructions of processors that ours do not.
fn add_by_library(x: MatrixRef<'_>, gram: &mut Matrix, rows: usize) {
    let width = x.cols();
    let inputs = MatRef::from_row_major_slice(x.as_slice(), x.rows(), width);
    let strips = gram.as_mut_slice().par_chunks_mut(rows * width).enumerate();
    // the long strips are at the end and are to begin first
    strips.rev().with_max_len(1).for_each(|(task, strip)| {
        let first = task * rows;
        let rows = strip.len() / width;
        let end = first + rows;
        let strip = MatMut::from_row_major_slice_mut(strip, rows, width).subcols_mut(0, end);
        let left = inputs.subcols(first, rows).transpose();
        matmul(strip, Accum::Add, left, inputs.subcols(0, end), 1.0, Par::Seq);
    });
}

/// The sums by our own tiles: the inputs in panels are the right operand, their columns, one task's
/// at a time, the left one. In bf16 a word is a pair of two tokens' values.
fn add_by_kernels(kernels: Kernels, x: MatrixRef<'_>, gram: &mut Matrix, rows: usize) {
    let width = x.cols();
    let lines = kernels.panel_lines(x.rows());
    let mut panels = PANELS.take();
    panels.resize(width.div_ceil(PANEL) * lines, Line::ZERO);
    panels.par_chunks_mut(lines).enumerate().for_each(|(panel, lines)| {
        let first = panel * PANEL;
        let (values, columns) = (&x.as_slice()[first..], PANEL.min(width - first));
        let source = Strided { values, rows: x.rows(), width: columns, stride: width };
        pack_columns(kernels, source, lines);
    });
    let inputs = Panels::new(&panels, kernels.depth(x.rows()), 0..0);
    let strips = gram.as_mut_slice().par_chunks_mut(rows * width).enumerate();
    strips.rev().with_max_len(1).for_each(|(task, strip)| {
        add_strip(kernels, &inputs, (strip, width), task * rows / PANEL);
    });
    PANELS.set(panels);
}

/// The rows of the Gram matrix from those of the panel `first` on.
fn add_strip(
    kernels: Kernels,
    inputs: &Panels<'_>,
    (strip, width): (&mut [f32], usize),
    first: usize,
) {
    let (rows, depth) = (strip.len() / width, inputs.depth);
    let own = rows.div_ceil(PANEL);
    // A line more than needed: rows a power of two apart would share their cache sets.
    let stride = depth.next_multiple_of(16) + 16;
    let mut memory = COLUMNS.take();
    let words = memory.first(own * PANEL * stride);
    for (panel, words) in words.chunks_exact_mut(PANEL * stride).enumerate() {
        unpack_columns(kernels.level, inputs.panel(first + panel), words, stride);
    }
    for start in (0..depth).step_by(STEPS) {
        let panels = Panels { steps: start..depth.min(start + STEPS), ..inputs.clone() };
        let mut add = |above: usize, range| {
            let words = &words[above * stride + start..];
            let left = Rows { words, stride, count: rows - above };
            let into = (&mut strip[above * width..], width);
            multiply_into(kernels, (left, panels.clone()), range, into, true);
        };
        add(0, 0..first);
        // A panel on the diagonal: rows above it are above the diagonal.
        (0..own).for_each(|panel| add(panel * PANEL, first + panel..first + panel + 1));
    }
    COLUMNS.set(memory);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    /// The lower triangle in f64, straight from the definition, and the largest error found.
    fn error(x: &Matrix, gram: &Matrix) -> f64 {
        let mut error = 0.0f64;
        for i in 0..x.cols() {
            for j in 0..=i {
                let product = |row: usize| f64::from(x.row(row)[i]) * f64::from(x.row(row)[j]);
                let expected = 2.0 * (0..x.rows()).map(product).sum::<f64>();
                error = error.max((f64::from(gram.row(i)[j]) - expected).abs());
            }
        }
        error
    }

    #[test]
    fn the_lower_triangle_is_the_plain_sum() {
        for (rows, width) in [(0, 3), (1, 1), (7, 33), (50, 127), (65, 401), (1100, 97)] {
            for precision in [Precision::F32, Precision::Bf16] {
                let mut x = random(rows, width, 1);
                precision.round_slice(x.as_mut_slice());
                for level in KernelLevel::available() {
                    let mut gram = Matrix::zeros(width, width);
                    add_gram_at(level, x.view(), &mut gram);
                    add_gram_at(level, x.view(), &mut gram);
                    let error = error(&x, &gram);
                    let allowed = 4e-6 * (rows as f64).max(10.0);
                    assert!(error < allowed, "{level} {precision:?} {rows} {width}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        for precision in [Precision::F32, Precision::Bf16] {
            let mut x = random(300, 500, 2);
            precision.round_slice(x.as_mut_slice());
            let gram = |threads: usize| {
                let mut gram = Matrix::zeros(500, 500);
                in_pool(threads, || add_gram(x.view(), &mut gram));
                bits(gram.as_slice())
            };
            assert_eq!(gram(1), gram(2));
            assert_eq!(gram(1), gram(5));
        }
    }

    #[test]
    fn one_value_that_is_not_bf16_keeps_its_bits() {
        let mut x = random(8, 40, 2);
        Precision::Bf16.round_slice(x.as_mut_slice());
        x.row_mut(7)[39] = 1.003;
        let mut gram = Matrix::zeros(40, 40);
        add_gram(x.view(), &mut gram);
        add_gram(x.view(), &mut gram);
        assert!(error(&x, &gram) < 1e-5);
    }
}
