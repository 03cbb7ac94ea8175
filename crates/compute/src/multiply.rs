//! Products with a symmetric matrix.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::kernels::SplitPanels;
use crate::{KernelLevel, Linear, LinearInput, Matrix, Precision};

/// Rows that one task of the library makes.
const ROWS: usize = 96;

/// A symmetric matrix, `[n, n]`, as the right side of products in f32.
pub struct Multiplier {
    held: Held,
}

enum Held {
    /// Two bf16 numbers for each of the matrix.
    Split(SplitPanels),
    /// Panels of our own kernels, whose `x · Wᵀ` is the product, for the matrix is symmetric.
    Packed(Linear),
    /// For faer, which knows the instructions of processors that ours do not.
    Plain(Matrix),
}

impl Multiplier {
    /// Prepares `matrix`, both triangles, for products.
    ///
    /// # Panics
    /// When it is not square.
    pub fn new(matrix: Matrix) -> Self {
        Self::at(KernelLevel::active(), matrix)
    }

    /// [`Multiplier::new`] for products that need not be as exact: on processors that multiply bf16
    /// several times as fast as f32, each factor is the sum of two bf16 numbers and three of the four
    /// products count. An element is within 2⁻¹⁶ of the sum of the absolute values of its terms.
    ///
    /// # Panics
    /// When it is not square.
    pub fn fast(matrix: Matrix) -> Self {
        Self::fast_at(KernelLevel::active(), matrix)
    }

    fn fast_at(level: KernelLevel, matrix: Matrix) -> Self {
        if level != KernelLevel::AmxBf16 {
            return Self::at(level, matrix);
        }
        assert_eq!(matrix.rows(), matrix.cols(), "a square matrix");
        Self { held: Held::Split(SplitPanels::new(level, matrix)) }
    }

    fn at(level: KernelLevel, matrix: Matrix) -> Self {
        assert_eq!(matrix.rows(), matrix.cols(), "a square matrix");
        let held = match level {
            KernelLevel::Portable => Held::Plain(matrix),
            _ => Held::Packed(Linear::new(matrix, None, Precision::F32)),
        };
        Self { held }
    }

    /// Writes `left · matrix` to `product`, `[rows, n]` both. Each element is one sum in one fixed
    /// order, whatever the number of threads.
    ///
    /// # Panics
    /// When `left` is not as wide as the matrix.
    pub fn multiply(&self, left: &Matrix, product: &mut Matrix) {
        match &self.held {
            Held::Split(panels) => {
                product.reshape(left.rows(), left.cols());
                panels.multiply(left.view(), product.as_mut_slice());
            }
            Held::Packed(linear) => {
                let left = LinearInput::pack(left.view(), Precision::F32);
                linear.apply_into(&left, product);
                left.recycle();
            }
            Held::Plain(matrix) => multiply_by_library(left, matrix, product),
        }
    }
}

fn multiply_by_library(left: &Matrix, right: &Matrix, product: &mut Matrix) {
    let n = right.rows();
    assert_eq!(left.cols(), n, "the matrix is as wide as what it is multiplied by");
    product.reshape(left.rows(), n);
    if n == 0 {
        return;
    }
    let right = MatRef::from_row_major_slice(right.as_slice(), n, n);
    let rows = product.as_mut_slice().par_chunks_mut(ROWS * n);
    rows.zip(left.as_slice().par_chunks(ROWS * n)).for_each(|(product, left)| {
        let rows = product.len() / n;
        let product = MatMut::from_row_major_slice_mut(product, rows, n);
        let left = MatRef::from_row_major_slice(left, rows, n);
        matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror_lower;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn fast_products_are_within_what_they_promise_at_every_level() {
        for (rows, n) in [(1, 1), (0, 3), (3, 0), (97, 33), (200, 41), (5, 1100), (130, 700)] {
            let left = random(rows, n, 1);
            let mut right = random(n, n, 2);
            mirror_lower(&mut right);
            for level in KernelLevel::available() {
                let multiplier = Multiplier::fast_at(level, right.clone());
                let product = |threads: usize| {
                    let mut product = random(2, 7, 3);
                    in_pool(threads, || multiplier.multiply(&left, &mut product));
                    product
                };
                let found = product(1);
                for (row, col) in (0..rows).flat_map(|row| (0..n).map(move |col| (row, col))) {
                    let term = |k| f64::from(left.row(row)[k]) * f64::from(right.row(k)[col]);
                    let (sum, size) =
                        (0..n).map(term).fold((0.0, 0.0), |(s, a), t: f64| (s + t, a + t.abs()));
                    let error = (f64::from(found.row(row)[col]) - sum).abs();
                    assert!(error <= size * 2.0f64.powi(-16), "{level} {rows} {n}: {error} {size}");
                }
                assert_eq!(bits(found.as_slice()), bits(product(3).as_slice()));
            }
        }
    }

    #[test]
    fn every_element_is_the_plain_sum_on_any_number_of_threads() {
        for (rows, n) in [(1, 1), (0, 3), (3, 0), (97, 33), (200, 41), (5, 1100)] {
            let left = random(rows, n, 1);
            let mut right = random(n, n, 2);
            mirror_lower(&mut right);
            for level in [KernelLevel::Portable, KernelLevel::active()] {
                let multiplier = Multiplier::at(level, right.clone());
                let product = |threads: usize| {
                    let mut product = random(2, 7, 3);
                    in_pool(threads, || multiplier.multiply(&left, &mut product));
                    product
                };
                let found = product(1);
                assert_eq!((found.rows(), found.cols()), (rows, n));
                for row in 0..rows {
                    for col in 0..n {
                        let term = |k| f64::from(left.row(row)[k]) * f64::from(right.row(k)[col]);
                        let sum = (0..n).map(term).sum::<f64>();
                        let error = (f64::from(found.row(row)[col]) - sum).abs();
                        let allowed = 1e-6 * (n as f64).sqrt().max(4.0);
                        assert!(error < allowed, "{level} {rows} {n}: {error}");
                    }
                }
                assert_eq!(bits(found.as_slice()), bits(product(3).as_slice()));
            }
        }
    }
}
