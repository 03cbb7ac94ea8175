//! Products of f32 matrices.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::Matrix;

/// Rows that one task makes.
const ROWS: usize = 96;

/// Writes `left · right` to `product`.
///
/// `left`: `[rows, inner]`, `right`: `[inner, cols]`, `product`: `[rows, cols]`. The result does not
/// depend on the number of threads.
///
/// # Panics
/// When the shapes do not fit.
pub fn multiply(left: &Matrix, right: &Matrix, product: &mut Matrix) {
    let (inner, cols) = (left.cols(), right.cols());
    assert_eq!((inner, product.rows(), product.cols()), (right.rows(), left.rows(), cols));
    if inner == 0 || cols == 0 || left.rows() == 0 {
        return product.as_mut_slice().fill(0.0);
    }
    let right = MatRef::from_row_major_slice(right.as_slice(), inner, cols);
    let rows = product.as_mut_slice().par_chunks_mut(ROWS * cols);
    rows.zip(left.as_slice().par_chunks(ROWS * inner)).for_each(|(product, left)| {
        let rows = product.len() / cols;
        let product = MatMut::from_row_major_slice_mut(product, rows, cols);
        let left = MatRef::from_row_major_slice(left, rows, inner);
        matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn every_element_is_the_plain_sum_on_any_number_of_threads() {
        for (rows, inner, cols) in [(1, 1, 1), (0, 3, 2), (3, 0, 2), (97, 33, 20), (200, 5, 41)] {
            let (left, right) = (random(rows, inner, 1), random(inner, cols, 2));
            let product = |threads: usize| {
                let mut product = random(rows, cols, 3);
                in_pool(threads, || multiply(&left, &right, &mut product));
                product
            };
            let found = product(1);
            for row in 0..rows {
                for col in 0..cols {
                    let sum = (0..inner).map(|k| left.row(row)[k] * right.row(k)[col]).sum::<f32>();
                    assert!((found.row(row)[col] - sum).abs() < 1e-5);
                }
            }
            assert_eq!(bits(found.as_slice()), bits(product(3).as_slice()));
        }
    }
}
