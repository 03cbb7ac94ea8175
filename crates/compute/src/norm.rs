//! Root-mean-square normalisation.

use rayon::prelude::*;

use crate::{Matrix, MatrixRef, Precision};

/// `x / sqrt(mean(x²) + epsilon) · weight`, row by row: `[tokens, width]`.
///
/// As in `transformers`, the normalised row is rounded before it is scaled by `weight` (`[width]`).
///
/// # Panics
/// When `weight` does not have one value per column.
pub fn rms_norm(x: MatrixRef<'_>, weight: &[f32], epsilon: f32, precision: Precision) -> Matrix {
    assert_eq!(weight.len(), x.cols());
    let mut y = Matrix::zeros(x.rows(), x.cols());
    let width = x.cols().max(1);
    y.as_mut_slice().par_chunks_mut(width).enumerate().for_each(|(row, y)| {
        let x = x.row(row);
        let squares: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let scale = 1.0 / ((squares / width as f64) as f32 + epsilon).sqrt();
        for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
            *y = precision.round(precision.round(x * scale) * weight);
        }
    });
    y
}
