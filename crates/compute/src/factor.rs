//! Factors of the inverse of a symmetric matrix.

use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, Par, Side};

use crate::Matrix;

/// The upper triangular `R`, `[n, n]`, with `RᵀR = (H + damping · I)⁻¹`; nothing where that matrix is
/// not positive definite in f32. Only the lower triangle of `H` is read.
///
/// With `H = U·Uᵀ` and `U` upper triangular, `R = U⁻¹`: a Cholesky factorisation of `H` read backwards
/// and the inverse of its factor, `2n³/3` operations; no inverse of `H` is formed. It runs on one
/// thread, so that the result does not depend on their number.
///
/// # Panics
/// When `h` is not square.
pub fn inverse_factor(h: &Matrix, damping: f32) -> Option<Matrix> {
    let n = h.rows();
    assert_eq!(n, h.cols(), "a square matrix");
    let backwards = Mat::from_fn(n, n, |i, j| {
        let (i, j) = (n - 1 - i.max(j), n - 1 - i.min(j));
        h.row(j)[i] + if i == j { damping } else { 0.0 }
    });
    let factor = backwards.llt(Side::Lower).ok()?;
    drop(backwards);
    let mut inverse = Mat::<f32>::zeros(n, n);
    invert_lower_triangular(inverse.as_mut(), factor.L(), Par::Seq);
    let mut values = Vec::with_capacity(n * n);
    for i in 0..n {
        values.extend(std::iter::repeat_n(0.0, i));
        values.extend((i..n).map(|j| inverse[(n - 1 - i, n - 1 - j)]));
    }
    let finite = crate::first_non_finite(&values).is_none();
    finite.then(|| Matrix::from_vec(n, n, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::add_gram;
    use crate::testing::random;

    fn gram(tokens: usize, width: usize) -> Matrix {
        let mut gram = Matrix::zeros(width, width);
        add_gram(random(tokens, width, 3).view(), &mut gram);
        gram
    }

    #[test]
    fn its_square_is_the_inverse() {
        for (n, damping) in [(1, 0.0), (2, 0.0), (7, 0.5), (65, 0.1), (130, 2.0)] {
            let h = gram(2 * n + 3, n);
            let r = inverse_factor(&h, damping).unwrap();
            let symmetric = |i: usize, j: usize| {
                let extra = if i == j { damping } else { 0.0 };
                f64::from(h.row(i.max(j))[i.min(j)] + extra)
            };
            // H · RᵀR = I
            for i in 0..n {
                for j in 0..n {
                    let inverse = |k: usize| -> f64 {
                        (0..n).map(|l| f64::from(r.row(l)[k]) * f64::from(r.row(l)[j])).sum()
                    };
                    let found: f64 = (0..n).map(|k| symmetric(i, k) * inverse(k)).sum();
                    let expected = f64::from(u8::from(i == j));
                    assert!((found - expected).abs() < 2e-3, "{n}: {i} {j}: {found}");
                }
                assert!(r.row(i)[..i].iter().all(|value| *value == 0.0), "upper triangular");
            }
        }
    }

    #[test]
    fn a_singular_matrix_needs_damping() {
        let h = gram(3, 40);
        assert!(inverse_factor(&Matrix::zeros(4, 4), 0.0).is_none());
        assert!(inverse_factor(&h, 0.1).is_some());
        let mut broken = gram(90, 40);
        broken.row_mut(7)[3] = f32::NAN;
        assert!(inverse_factor(&broken, 0.1).is_none());
    }
}
