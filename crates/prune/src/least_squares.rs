//! Least squares on the kept weights.

use compute::{ConjugateRow, Matrix, Multiplier, dot};
use rayon::prelude::*;

/// Values that one task changes.
const PIECE: usize = 1 << 14;

/// Lowers `(w − w₀)ᵀ G (w − w₀)` of every row over its kept weights by conjugate gradients.
///
/// `gram`: `[in, in]`, of unit diagonal (so that it needs no preconditioner);
/// `dense`: w₀ of every row, `[out, in]`; `removed`: row after row; `weights`: w, `[out, in]`, zero
/// where removed. A row stops when its residual has fallen to `tolerance` of what it began with, or
/// after `iterations`; no iteration makes the value larger.
pub(crate) fn conjugate_gradient(
    gram: &Multiplier,
    dense: &Matrix,
    removed: &[bool],
    weights: &mut Matrix,
    iterations: usize,
    tolerance: f32,
) {
    let (rows, cols) = (dense.rows(), dense.cols());
    if rows * cols == 0 {
        return;
    }
    let mut product = Matrix::default();
    let mut direction = difference(dense, weights);
    gram.multiply(&direction, &mut product);
    mask(&mut product, removed);
    let mut residual = product.clone();
    direction.as_mut_slice().copy_from_slice(residual.as_slice());
    let begun: Vec<f64> = residual.as_slice().par_chunks(cols).map(square).collect();
    let floor = f64::from(tolerance) * f64::from(tolerance);
    for _ in 0..iterations {
        if residual.as_slice().par_chunks(cols).zip(&begun).all(|(r, b)| square(r) <= b * floor) {
            break;
        }
        gram.multiply(&direction, &mut product);
        let rows = weights.as_mut_slice().par_chunks_mut(cols);
        let rows = rows.zip(residual.as_mut_slice().par_chunks_mut(cols));
        let rows = rows.zip(direction.as_mut_slice().par_chunks_mut(cols));
        let rows = rows.zip(product.as_slice().par_chunks(cols)).zip(removed.par_chunks(cols));
        rows.zip(&begun).for_each(
            |(((((weights, residual), direction), product), removed), begun)| {
                let unknowns = weights;
                let row = ConjugateRow { unknowns, residual, direction, product, removed };
                row.step(begun * floor);
            },
        );
    }
}

/// `left − right`.
pub(crate) fn difference(left: &Matrix, right: &Matrix) -> Matrix {
    let mut difference = left.clone();
    let rows = difference.as_mut_slice().par_chunks_mut(PIECE);
    rows.zip(right.as_slice().par_chunks(PIECE)).for_each(|(left, right)| {
        left.iter_mut().zip(right).for_each(|(left, right)| *left -= right);
    });
    difference
}

fn mask(matrix: &mut Matrix, removed: &[bool]) {
    let rows = matrix.as_mut_slice().par_chunks_mut(PIECE);
    rows.zip(removed.par_chunks(PIECE)).for_each(|(values, removed)| {
        let values = values.iter_mut().zip(removed);
        values.for_each(|(value, removed)| *value = if *removed { 0.0 } else { *value });
    });
}

fn square(values: &[f32]) -> f64 {
    dot(values, values)
}
