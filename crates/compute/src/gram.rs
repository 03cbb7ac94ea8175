//! Sums of products of the inputs of a layer.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::{Matrix, MatrixRef};

/// Rows of the Gram matrix that one task makes.
const ROWS: usize = 192;

/// Adds `xᵀx` (`x`: `[tokens, in]`) to the lower triangle of `gram`, `[in, in]`.
///
/// Values above the diagonal within the diagonal tiles are written as well; nothing may read them.
/// Each element is the f32 sum over the rows of `x` in one fixed order, added to what is there, so
/// the result does not depend on the number of threads; it does on how rows are split over calls.
///
/// # Panics
/// When `gram` is not square of the width of `x`.
pub fn add_gram(x: MatrixRef<'_>, gram: &mut Matrix) {
    let width = x.cols();
    assert_eq!((gram.rows(), gram.cols()), (width, width), "one row and column per input");
    if width == 0 || x.rows() == 0 {
        return;
    }
    let inputs = MatRef::from_row_major_slice(x.as_slice(), x.rows(), width);
    let strips = gram.as_mut_slice().par_chunks_mut(ROWS * width).enumerate();
    // the long strips are at the end and are to begin first
    strips.rev().for_each(|(task, strip)| {
        let first = task * ROWS;
        let rows = strip.len() / width;
        let end = first + rows;
        let strip = MatMut::from_row_major_slice_mut(strip, rows, width).subcols_mut(0, end);
        let left = inputs.subcols(first, rows).transpose();
        matmul(strip, Accum::Add, left, inputs.subcols(0, end), 1.0, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn the_lower_triangle_is_the_plain_sum() {
        for (rows, width) in [(0, 3), (1, 1), (7, 33), (50, 127), (65, 401)] {
            let x = random(rows, width, 1);
            let mut gram = Matrix::zeros(width, width);
            add_gram(x.view(), &mut gram);
            add_gram(x.view(), &mut gram);
            for i in 0..width {
                for j in 0..=i {
                    let product = |row: usize| f64::from(x.row(row)[i]) * f64::from(x.row(row)[j]);
                    let expected = 2.0 * (0..rows).map(product).sum::<f64>();
                    let found = f64::from(gram.row(i)[j]);
                    assert!((found - expected).abs() < 1e-4, "{rows} {width}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        let x = random(300, 500, 2);
        let gram = |threads: usize| {
            let mut gram = Matrix::zeros(500, 500);
            in_pool(threads, || add_gram(x.view(), &mut gram));
            bits(gram.as_slice())
        };
        assert_eq!(gram(1), gram(2));
        assert_eq!(gram(1), gram(5));
    }
}
