//! Products of f32 matrices that change a part of another.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::Matrix;

/// Rows that one task changes.
const ROWS: usize = 64;

/// Subtracts `left · right[inner, from..]` from the columns `from..` of `target`.
///
/// `target`: `[rows, n]`, `left`: `[rows, inner]`, `right`: `[m, n]`, of which the rows `inner` are
/// taken. The result does not depend on the number of threads.
///
/// # Panics
/// When the shapes do not fit, or `inner` or `from` lies outside.
pub fn subtract_product(
    target: &mut Matrix,
    from: usize,
    left: &Matrix,
    right: &Matrix,
    inner: Range<usize>,
) {
    let (width, depth) = (target.cols(), left.cols());
    assert_eq!((left.rows(), right.cols(), inner.len()), (target.rows(), width, depth));
    let count = width - from;
    if count == 0 || depth == 0 || target.rows() == 0 {
        return;
    }
    let right = MatRef::from_row_major_slice(right.as_slice(), right.rows(), width);
    let right = right.submatrix(inner.start, from, depth, count);
    let rows = target.as_mut_slice().par_chunks_mut(ROWS * width);
    rows.zip(left.as_slice().par_chunks(ROWS * depth)).for_each(|(target, left)| {
        let rows = target.len() / width;
        let target = MatMut::from_row_major_slice_mut(target, rows, width);
        let left = MatRef::from_row_major_slice(left, rows, depth);
        matmul(target.subcols_mut(from, count), Accum::Add, left, right, -1.0, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn the_columns_from_a_place_on_lose_the_product() {
        for (rows, width, from, inner) in [(1, 1, 0, 0..1), (70, 33, 9, 2..7), (129, 40, 40, 0..8)]
        {
            let (left, right) = (random(rows, inner.len(), 1), random(width, width, 2));
            let before = random(rows, width, 3);
            let subtract = |threads: usize| {
                let mut target = before.clone();
                in_pool(threads, || {
                    subtract_product(&mut target, from, &left, &right, inner.clone());
                });
                target
            };
            let found = subtract(1);
            for row in 0..rows {
                for column in 0..width {
                    let product = |k: usize| left.row(row)[k] * right.row(inner.start + k)[column];
                    let product: f32 = (0..inner.len()).map(product).sum();
                    let change = if column < from { 0.0 } else { product };
                    let expected = before.row(row)[column] - change;
                    assert!((found.row(row)[column] - expected).abs() < 1e-5);
                }
            }
            assert_eq!(bits(found.as_slice()), bits(subtract(3).as_slice()));
        }
    }
}
