//! Eigendecompositions of symmetric matrices.

use faer::{MatRef, Side};
use rayon::prelude::*;

use crate::{Matrix, add_gram, mirror_lower};

/// `H = Q · diag(λ) · Qᵀ`.
pub struct Eigen {
    /// λ, `[n]`, ascending.
    values: Vec<f32>,
    /// Qᵀ, `[n, n]`, one eigenvector a row.
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
        let rows = (0..n).flat_map(|vector| (0..n).map(move |place| (place, vector)));
        let vectors: Vec<f32> = rows.map(|place| eigen.U()[place]).collect();
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

    /// `(H + shift · I)⁻¹ = Q · diag(1 / (λ + shift)) · Qᵀ`, `[n, n]`, both triangles: the Gram matrix
    /// of the eigenvectors divided by the roots of `λ + shift`, `n³` operations. The result does not
    /// depend on the number of threads.
    ///
    /// `λ + shift` must be above zero for every eigenvalue, or the inverse is NaN.
    pub fn shifted_inverse(&self, shift: f32) -> Matrix {
        let n = self.values.len();
        let mut scaled = self.vectors.clone();
        let rows = scaled.as_mut_slice().par_chunks_mut(n.max(1)).zip(&self.values);
        rows.for_each(|(vector, lambda)| {
            let scale = (lambda + shift).sqrt().recip();
            vector.iter_mut().for_each(|value| *value *= scale);
        });
        let mut inverse = Matrix::zeros(n, n);
        add_gram(scaled.view(), &mut inverse);
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
