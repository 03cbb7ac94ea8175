//! Eigenvalues of symmetric matrices.

use faer::{MatRef, Side};

use crate::Matrix;

/// The eigenvalues of the symmetric `h`, `[n, n]`, ascending, by its lower triangle; nothing where a
/// value is not finite or the iteration does not converge in f32. It runs on one thread, so that the
/// result does not depend on their number.
///
/// # Panics
/// When `h` is not square.
pub fn eigenvalues(h: &Matrix) -> Option<Vec<f32>> {
    let n = h.rows();
    assert_eq!(n, h.cols(), "a square matrix");
    if n == 0 || crate::first_non_finite(h.as_slice()).is_some() {
        return (n == 0).then(Vec::new);
    }
    let h = MatRef::from_row_major_slice(h.as_slice(), n, n);
    let values = h.self_adjoint_eigenvalues(Side::Lower).ok()?;
    crate::first_non_finite(&values).is_none().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_lower_triangle() {
        let mut h = Matrix::from_vec(2, 2, vec![1.0, 0.0, 3.0, 1.0]);
        let found = eigenvalues(&h).unwrap();
        assert!((found[0] + 2.0).abs() < 1e-5 && (found[1] - 4.0).abs() < 1e-5, "{found:?}");
        h.row_mut(1)[0] = f32::NAN;
        assert!(eigenvalues(&h).is_none());
        assert_eq!(eigenvalues(&Matrix::zeros(0, 0)), Some(Vec::new()));
    }

    #[test]
    fn they_add_up_to_the_trace_and_their_squares_to_the_squares_of_all() {
        let mut h = crate::testing::random_gram(90, 67);
        crate::mirror_lower(&mut h);
        let found = eigenvalues(&h).unwrap();
        let trace: f32 = (0..67).map(|i| h.row(i)[i]).sum();
        assert!((found.iter().sum::<f32>() - trace).abs() < 1e-4 * trace);
        let squares: f32 = h.as_slice().iter().map(|value| value * value).sum();
        let of_values: f32 = found.iter().map(|value| value * value).sum();
        assert!((of_values - squares).abs() < 1e-4 * squares);
        assert!(found.is_sorted());
    }
}
