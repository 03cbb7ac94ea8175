//! Symmetric matrices of which one triangle is given, and their inverses.

use std::ops::Range;

use rayon::prelude::*;

use crate::{Linear, Matrix, Precision, add_gram, inverse_factor};

/// Rows and columns that one step of an inversion exchanges.
const BLOCK: usize = 128;

/// Rows and columns that are turned around together, so that both stay in the cache.
const TILE: usize = 32;

/// Writes the lower triangle of a square matrix to its upper one.
///
/// # Panics
/// When it is not square.
pub fn mirror_lower(matrix: &mut Matrix) {
    let n = matrix.rows();
    assert_eq!(n, matrix.cols(), "a square matrix");
    let values = matrix.as_mut_slice();
    for top in (0..n).step_by(TILE) {
        for left in (top..n).step_by(TILE) {
            for row in top..n.min(top + TILE) {
                for col in left.max(row + 1)..n.min(left + TILE) {
                    values[row * n + col] = values[col * n + row];
                }
            }
        }
    }
}

/// The inverse of `H + shift · I`, `[n, n]`, both triangles; nothing where that matrix is not
/// positive definite in f32. Only the lower triangle of `H` is read.
///
/// Blocks of rows and columns are exchanged one after another (the sweep operator: Beaton, 1964;
/// Goodnight, 1979), `n³` operations, nearly all of them in [`add_gram`]. The result does not depend
/// on the number of threads.
///
/// # Panics
/// When `h` is not square.
pub fn symmetric_inverse(h: &Matrix, shift: f32) -> Option<Matrix> {
    let n = h.rows();
    assert_eq!(n, h.cols(), "a square matrix");
    let mut swept = h.clone();
    swept.as_mut_slice().par_iter_mut().for_each(|value| *value = -*value);
    (0..n).for_each(|i| swept.row_mut(i)[i] -= shift);
    for first in (0..n).step_by(BLOCK) {
        sweep(&mut swept, first..n.min(first + BLOCK))?;
    }
    mirror_lower(&mut swept);
    crate::first_non_finite(swept.as_slice()).is_none().then_some(swept)
}

/// Exchanges the rows and columns of `block` in `−A`, by its lower triangle: `A_kk` becomes
/// `−A_kk⁻¹`, `A_ik` becomes `A_ik A_kk⁻¹`, and `A_ij` loses `A_ik A_kk⁻¹ A_kj`. Nothing where `A_kk`
/// is not positive definite.
fn sweep(negated: &mut Matrix, block: Range<usize>) -> Option<()> {
    let width = block.len();
    let pivot = block.clone().flat_map(|row| &negated.row(row)[block.clone()]);
    let pivot = Matrix::from_vec(width, width, pivot.map(|value| -value).collect());
    let factor = inverse_factor(&pivot, 0.0)?;
    let mut inverse = Matrix::zeros(width, width);
    add_gram(factor.view(), &mut inverse);
    // [n, width], of which the rows of the block are zero
    let columns = columns(negated, &block);
    let turned = factor.transposed();
    let half = Linear::new(factor, None, Precision::F32).apply(columns.view());
    let whole = Linear::new(turned, None, Precision::F32).apply(half.view());
    let turned = half.transposed();
    half.recycle();
    add_gram(turned.view(), negated);
    turned.recycle();
    let n = columns.rows();
    columns.recycle();
    let rows = negated.as_mut_slice().par_chunks_mut(n).enumerate();
    rows.skip(block.start).for_each(|(i, row)| match i.checked_sub(block.end) {
        Some(_) => {
            let values = row[block.clone()].iter_mut().zip(whole.row(i));
            values.for_each(|(value, whole)| *value = -whole);
        }
        None => {
            let c = i - block.start;
            (0..block.start).for_each(|j| row[j] = -whole.row(j)[c]);
            row[block.start..=i].copy_from_slice(&inverse.row(c)[..=c]);
        }
    });
    whole.recycle();
    Some(())
}

/// `A` in the columns of `block`, `[n, width]`, zeros in its rows.
fn columns(negated: &Matrix, block: &Range<usize>) -> Matrix {
    let mut columns = Matrix::default();
    columns.reshape(negated.rows(), block.len());
    let rows = columns.as_mut_slice().par_chunks_mut(block.len()).enumerate();
    rows.for_each(|(j, column)| {
        if j < block.start {
            let values = column.iter_mut().zip(block.clone());
            values.for_each(|(value, row)| *value = -negated.row(row)[j]);
        } else if j >= block.end {
            let values = column.iter_mut().zip(&negated.row(j)[block.clone()]);
            values.for_each(|(value, negated)| *value = -negated);
        } else {
            column.fill(0.0);
        }
    });
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_inverse, bits, in_pool, random, random_gram};

    #[test]
    fn the_upper_triangle_becomes_the_lower() {
        for n in [0, 1, 31, 32, 33, 100] {
            let mut matrix = random(n, n, 1);
            let before = matrix.clone();
            mirror_lower(&mut matrix);
            for i in 0..n {
                for j in 0..n {
                    assert_eq!(matrix.row(i)[j], before.row(i.max(j))[i.min(j)]);
                }
            }
        }
    }

    #[test]
    fn the_product_with_the_inverse_is_one() {
        for (n, shift) in [(1, 0.0), (7, 0.5), (97, 0.1), (230, 2.0)] {
            let h = random_gram(2 * n + 3, n);
            let inverse = symmetric_inverse(&h, shift).unwrap();
            assert_inverse(h, shift, &inverse);
        }
    }

    #[test]
    fn the_inverse_does_not_depend_on_the_number_of_threads() {
        let h = random_gram(423, 210);
        let inverse = |threads| in_pool(threads, || symmetric_inverse(&h, 0.1).unwrap());
        assert_eq!(bits(inverse(1).as_slice()), bits(inverse(3).as_slice()));
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_none() {
        assert!(symmetric_inverse(&Matrix::zeros(4, 4), 0.0).is_none());
        assert!(symmetric_inverse(&Matrix::zeros(0, 0), 0.0).is_some());
    }
}
