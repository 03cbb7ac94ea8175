//! Eigendecompositions of symmetric matrices.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::{Matrix, mirror_lower};

/// Rows of an inverse that one task makes.
const ROWS: usize = 96;

/// `H = Q · diag(λ) · Qᵀ`.
pub struct Eigen {
    /// λ, `[n]`, ascending.
    values: Vec<f32>,
    /// Q, `[n, n]`, one eigenvector a column.
    vectors: Matrix,
}

impl Eigen {
    /// The decomposition of the symmetric `h`, `[n, n]`, by its lower triangle; nothing where a
    /// value is not finite or the iteration does not converge in f32. It runs on one thread, so that the result does not
    /// depend on their number.
    ///
    /// # Panics
    /// When `h` is not square.
    pub fn new(h: &Matrix) -> Option<Self> {
        let n = h.rows();
        assert_eq!(n, h.cols(), "a square matrix");
        if n == 0 || crate::first_non_finite(h.as_slice()).is_some() {
            return (n == 0).then(|| Self { values: Vec::new(), vectors: Matrix::zeros(0, 0) });
        }
        let h = MatRef::from_row_major_slice(h.as_slice(), n, n);
        let eigen = h.self_adjoint_eigen(Side::Lower).ok()?;
        let rows = (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
        let vectors: Vec<f32> = rows.map(|(row, column)| eigen.U()[(row, column)]).collect();
        let values: Vec<f32> = (0..n).map(|index| eigen.S()[index]).collect();
        let finite = [&values, &vectors].iter().all(|v| crate::first_non_finite(v).is_none());
        finite.then(|| Self { values, vectors: Matrix::from_vec(n, n, vectors) })
    }

    /// The eigenvalues, `[n]`, ascending.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The smallest eigenvalue; nothing for an empty matrix.
    pub fn smallest(&self) -> Option<f32> {
        self.values.first().copied()
    }

    /// `(H + shift · I)⁻¹ = Q · diag(1 / (λ + shift)) · Qᵀ`, `[n, n]`, both triangles: `n³` operations.
    /// The result does not depend on the number of threads.
    pub fn shifted_inverse(&self, shift: f32) -> Matrix {
        let n = self.values.len();
        let mut scaled = self.vectors.clone();
        for row in scaled.as_mut_slice().chunks_mut(n.max(1)) {
            row.iter_mut().zip(&self.values).for_each(|(value, lambda)| *value /= lambda + shift);
        }
        let mut inverse = Matrix::zeros(n, n);
        let left = MatRef::from_row_major_slice(scaled.as_slice(), n, n);
        let right = MatRef::from_row_major_slice(self.vectors.as_slice(), n, n);
        let strips = inverse.as_mut_slice().par_chunks_mut(ROWS * n.max(1)).enumerate();
        // the long strips are at the end and are to begin first
        strips.rev().for_each(|(task, strip)| {
            let first = task * ROWS;
            let rows = strip.len() / n;
            let end = first + rows;
            let strip = MatMut::from_row_major_slice_mut(strip, rows, n).subcols_mut(0, end);
            let (left, right) = (left.subrows(first, rows), right.subrows(0, end).transpose());
            matmul(strip, Accum::Replace, left, right, 1.0, Par::Seq);
        });
        mirror_lower(&mut inverse);
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_inverse, bits, in_pool, random_gram};

    #[test]
    fn the_product_with_the_shifted_inverse_is_one() {
        for (tokens, n, shift) in [(3, 1, 0.5), (40, 7, 0.1), (300, 97, 1.0), (20, 230, 2.0)] {
            let h = random_gram(tokens, n);
            let inverse = Eigen::new(&h).unwrap().shifted_inverse(shift);
            assert_inverse(h, shift, &inverse);
        }
    }

    #[test]
    fn nothing_depends_on_the_number_of_threads() {
        let h = random_gram(300, 210);
        let inverse = |threads| in_pool(threads, || Eigen::new(&h).unwrap().shifted_inverse(0.1));
        assert_eq!(bits(inverse(1).as_slice()), bits(inverse(3).as_slice()));
    }

    #[test]
    fn the_smallest_eigenvalue_shows_whether_a_matrix_is_positive_definite() {
        let mut h = Matrix::from_vec(2, 2, vec![1.0, 0.0, 3.0, 1.0]);
        assert!((Eigen::new(&h).unwrap().smallest().unwrap() + 2.0).abs() < 1e-5);
        h.row_mut(1)[0] = f32::NAN;
        assert!(Eigen::new(&h).is_none());
        assert!(Eigen::new(&Matrix::zeros(0, 0)).unwrap().smallest().is_none());
    }
}
