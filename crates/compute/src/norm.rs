//! Root-mean-square normalisation.

use rayon::prelude::*;

use crate::kernels::{Kernels, for_each_level, store_row};
use crate::matrix::add;
use crate::{KernelLevel, LinearInput, Matrix, MatrixRef, Precision};

/// Sums of squares that do not wait for each other.
const LANES: usize = 32;

/// `x / sqrt(mean(x²) + epsilon) · weight`, row by row: `[tokens, width]`, the input of the layers that
/// follow.
///
/// As in `transformers`, the normalised row is rounded before it is scaled by `weight` (`[width]`).
/// The mean is taken in `f64`. A row with NaN becomes NaN.
///
/// # Panics
/// When `weight` does not have one value per column.
pub fn rms_norm(
    x: MatrixRef<'_>,
    weight: &[f32],
    epsilon: f32,
    precision: Precision,
) -> LinearInput {
    assert_eq!(weight.len(), x.cols());
    let kernels = Kernels { level: KernelLevel::active(), precision };
    let mut y = LinearInput::new(kernels, x.rows(), x.cols());
    let (width, rows) = (x.cols().max(1), y.rows_of_a_piece());
    let (words, stride) = y.words_mut();
    let pieces = words.par_chunks_mut(rows * stride).zip(x.as_slice().par_chunks(rows * width));
    pieces.for_each(|(words, x)| norm_rows(kernels, x, (words, stride), (weight, epsilon)));
    y
}

/// Adds `update` to `residual`, both `[tokens, width]`, rounded as the precision says, and gives the
/// [`rms_norm`] of the sum: the same bits as the two after one another, in one pass.
///
/// # Panics
/// When the shapes differ or `weight` does not have one value per column.
pub fn add_rms_norm(
    residual: &mut Matrix,
    update: &Matrix,
    (weight, epsilon): (&[f32], f32),
    precision: Precision,
) -> LinearInput {
    assert_eq!(weight.len(), residual.cols());
    assert_eq!((residual.rows(), residual.cols()), (update.rows(), update.cols()));
    let kernels = Kernels { level: KernelLevel::active(), precision };
    let mut y = LinearInput::new(kernels, residual.rows(), residual.cols());
    let (width, rows) = (residual.cols().max(1), y.rows_of_a_piece());
    let (words, stride) = y.words_mut();
    let pieces = words.par_chunks_mut(rows * stride);
    let pieces = pieces.zip(update.as_slice().par_chunks(rows * width));
    let pieces = pieces.zip(residual.as_mut_slice().par_chunks_mut(rows * width));
    pieces.for_each(|((words, update), residual)| {
        add(kernels.level, (residual, update), precision);
        norm_rows(kernels, residual, (words, stride), (weight, epsilon));
    });
    y
}

/// The norm of every row of `x` as an input's words, rows `stride` words apart.
fn norm_rows(
    kernels: Kernels,
    x: &[f32],
    (words, stride): (&mut [u32], usize),
    (weight, epsilon): (&[f32], f32),
) {
    let Kernels { level, precision } = kernels;
    let mut y = vec![0.0; weight.len()];
    for (x, words) in x.chunks_exact(weight.len()).zip(words.chunks_exact_mut(stride)) {
        match precision {
            Precision::F32 => norm_full(level, (x, &mut y), weight, epsilon),
            Precision::Bf16 => norm_bf16(level, (x, &mut y), weight, epsilon),
        }
        store_row(kernels, &y, &mut words[..kernels.row_words(weight.len())]);
    }
}

type Rows<'a> = (&'a [f32], &'a mut [f32]);

for_each_level! { fn norm_full(rows: Rows<'_>, weight: &[f32], epsilon: f32) = norm_full_body }
for_each_level! { fn norm_bf16(rows: Rows<'_>, weight: &[f32], epsilon: f32) = norm_bf16_body }

#[inline(always)]
fn norm_full_body<const FUSED: bool>(rows: Rows<'_>, weight: &[f32], epsilon: f32) {
    norm(rows, weight, epsilon, Precision::F32);
}

#[inline(always)]
fn norm_bf16_body<const FUSED: bool>(rows: Rows<'_>, weight: &[f32], epsilon: f32) {
    norm(rows, weight, epsilon, Precision::Bf16);
}

#[inline(always)]
fn norm((x, y): Rows<'_>, weight: &[f32], epsilon: f32, precision: Precision) {
    let width = weight.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let scale = 1.0 / ((sum_of_squares(x) / width as f64) as f32 + epsilon).sqrt();
        for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
            *y = precision.round(x * scale) * weight;
        }
    }
}

/// Σ x² in f64, in lanes that do not depend on the level: squares of `f32` are exact in `f64`.
#[inline(always)]
fn sum_of_squares(x: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (chunks, tail) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    let tail: f64 = tail.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    lanes.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn equals_its_f64_twin_and_is_the_same_at_every_level() {
        for width in [1, 7, 33, 127, 576] {
            let (x, weight) = (random(9, width, 1), random(1, width, 2).into_vec());
            let expected = rms_norm(x.view(), &weight, 1e-5, Precision::F32).to_matrix();
            for row in 0..9 {
                let squares: f64 = x.row(row).iter().map(|&x| f64::from(x).powi(2)).sum();
                let scale = (squares / width as f64 + 1e-5).sqrt();
                for ((&y, &x), &w) in expected.row(row).iter().zip(x.row(row)).zip(&weight) {
                    let twin = f64::from(x) / scale * f64::from(w);
                    assert!((f64::from(y) - twin).abs() <= 4e-7 * twin.abs());
                }
            }
            for level in KernelLevel::available() {
                let mut y = vec![0.0; x.as_slice().len()];
                norm_full(level, (x.as_slice(), &mut y), &weight, 1e-5);
                assert_eq!(bits(&y), bits(expected.as_slice()), "{level}");
            }
        }
    }

    #[test]
    fn the_norm_of_a_sum_is_the_sum_and_then_its_norm() {
        for (rows, width) in [(0, 7), (1, 1), (9, 33), (90, 577)] {
            let (before, update) = (random(rows, width, 1), random(rows, width, 2));
            let weight = random(1, width, 3).into_vec();
            for precision in [Precision::F32, Precision::Bf16] {
                let (mut plain, mut sum) = (before.clone(), before.clone());
                plain.add_rounded(&update, precision);
                let expected = rms_norm(plain.view(), &weight, 1e-5, precision).to_matrix();
                let y = add_rms_norm(&mut sum, &update, (&weight, 1e-5), precision).to_matrix();
                assert_eq!(bits(y.as_slice()), bits(expected.as_slice()));
                assert_eq!(bits(sum.as_slice()), bits(plain.as_slice()));
                for ((&sum, &a), &b) in
                    sum.as_slice().iter().zip(before.as_slice()).zip(update.as_slice())
                {
                    assert_eq!(sum.to_bits(), precision.round(a + b).to_bits());
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_in_any_batch_and_nan_stays_in_its_row() {
        let (mut x, weight) = (random(200, 577, 1), random(1, 577, 2).into_vec());
        x.row_mut(3)[500] = f32::NAN;
        for precision in [Precision::F32, Precision::Bf16] {
            let all = in_pool(5, || rms_norm(x.view(), &weight, 1e-5, precision)).to_matrix();
            for row in [0, 2, 3, 150, 199] {
                let one = rms_norm(x.view_rows(row..row + 1), &weight, 1e-5, precision).to_matrix();
                assert_eq!(one.as_slice().iter().all(|y| y.is_nan()), row == 3);
                assert_eq!(bits(one.as_slice()), bits(all.row(row)));
            }
        }
    }
}
