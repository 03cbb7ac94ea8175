//! Symmetric matrices of which one triangle is given, and their inverses.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::{Matrix, inverse_factor};

/// Rows of the inverse that one task makes.
const ROWS: usize = 96;

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
/// It is `RᵀR` of the factor that [`inverse_factor`] gives, `4n³/3` operations, and does not depend
/// on the number of threads.
///
/// # Panics
/// When `h` is not square.
pub fn symmetric_inverse(h: &Matrix, shift: f32) -> Option<Matrix> {
    let factor = inverse_factor(h, shift)?;
    let n = factor.rows();
    let mut inverse = Matrix::zeros(n, n);
    let r = MatRef::from_row_major_slice(factor.as_slice(), n, n);
    let strips = inverse.as_mut_slice().par_chunks_mut(ROWS * n.max(1)).enumerate();
    // the long strips are at the end and are to begin first
    strips.rev().for_each(|(task, strip)| {
        let first = task * ROWS;
        let rows = strip.len() / n;
        let end = first + rows;
        let strip = MatMut::from_row_major_slice_mut(strip, rows, n).subcols_mut(0, end);
        // the columns before `end` of an upper triangular factor are zero from row `end` on
        let left = r.submatrix(0, first, end, rows).transpose();
        matmul(strip, Accum::Replace, left, r.submatrix(0, 0, end, end), 1.0, Par::Seq);
    });
    mirror_lower(&mut inverse);
    Some(inverse)
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
