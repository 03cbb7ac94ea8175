//! Least squares on the kept weights.

use compute::{Matrix, Multiplier};
use rayon::prelude::*;

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
                let row = Row { weights, residual, direction, product, removed };
                row.step(begun * floor);
            },
        );
    }
}

/// One row between two iterations.
struct Row<'a> {
    weights: &'a mut [f32],
    /// `(w₀ − w) G` where kept.
    residual: &'a mut [f32],
    direction: &'a mut [f32],
    /// `direction · G`.
    product: &'a [f32],
    removed: &'a [bool],
}

impl Row<'_> {
    /// One step, unless the squared residual is no larger than `floor`.
    fn step(self, floor: f64) {
        let before = square(self.residual);
        let curvature = dot(self.direction, self.product);
        if before <= floor || curvature <= 0.0 {
            return;
        }
        let length = (before / curvature) as f32;
        let values = self.weights.iter_mut().zip(self.direction.iter());
        values.for_each(|(weight, direction)| *weight += length * direction);
        let values = self.residual.iter_mut().zip(self.product).zip(self.removed);
        for ((residual, product), removed) in values {
            *residual = if *removed { 0.0 } else { *residual - length * product };
        }
        let ratio = (square(self.residual) / before) as f32;
        let values = self.direction.iter_mut().zip(self.residual.iter());
        values.for_each(|(direction, residual)| *direction = residual + ratio * *direction);
    }
}

/// `left − right`.
pub(crate) fn difference(left: &Matrix, right: &Matrix) -> Matrix {
    let mut difference = left.clone();
    let values = difference.as_mut_slice().par_iter_mut().zip(right.as_slice().par_iter());
    values.for_each(|(left, right)| *left -= right);
    difference
}

fn mask(matrix: &mut Matrix, removed: &[bool]) {
    let values = matrix.as_mut_slice().iter_mut().zip(removed);
    values.filter(|(_, removed)| **removed).for_each(|(value, _)| *value = 0.0);
}

fn square(values: &[f32]) -> f64 {
    dot(values, values)
}

/// Eight sums side by side, in `f64`, so that the processor can take them together.
fn dot(left: &[f32], right: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (left, right) = (left.chunks(8), right.chunks(8));
    for (left, right) in left.zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += f64::from(*left) * f64::from(*right);
        }
    }
    sums.iter().sum()
}
