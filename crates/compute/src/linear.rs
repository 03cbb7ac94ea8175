//! A linear layer: `y = x · Wᵀ + b`.

use rayon::prelude::*;

use crate::{Matrix, MatrixRef, Precision};

/// The weights of a linear layer, laid out for multiplication.
///
/// Each output element is the same sum in the same order whatever the number of rows of `x`, so a
/// token's result does not depend on the batch it ran in.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: Matrix,
    bias: Option<Vec<f32>>,
    precision: Precision,
}

impl Linear {
    /// Lays out `weights` (`[out, in]`) and an optional bias (`[out]`).
    ///
    /// In [`Precision::Bf16`] weights and bias are rounded to bf16, results too.
    ///
    /// # Panics
    /// When the bias does not have one value per output.
    pub fn new(mut weights: Matrix, bias: Option<Vec<f32>>, precision: Precision) -> Self {
        if let Some(bias) = &bias {
            assert_eq!(bias.len(), weights.rows(), "a bias has one value per output");
        }
        precision.round_slice(weights.as_mut_slice());
        Self { weights, bias, precision }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.weights.cols()
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.weights.rows()
    }

    /// `x · Wᵀ + b`: `[tokens, in]` → `[tokens, out]`, rounded as the precision says.
    ///
    /// # Panics
    /// When `x` does not have `in` columns.
    pub fn apply(&self, x: MatrixRef<'_>) -> Matrix {
        assert_eq!(x.cols(), self.inputs(), "the input's width is the layer's");
        let mut y = Matrix::zeros(x.rows(), self.outputs());
        let outputs = self.outputs();
        y.as_mut_slice().par_chunks_mut(outputs.max(1)).enumerate().for_each(|(row, y)| {
            for (column, y) in y.iter_mut().enumerate() {
                let sum = dot(x.row(row), self.weights.row(column));
                let bias = self.bias.as_ref().map_or(0.0, |bias| bias[column]);
                *y = self.precision.round(sum + bias);
            }
        });
        y
    }
}

/// The inner product of two rows, summed in 16 fixed lanes.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (left, left_tail) = left.as_chunks::<16>();
    let (right, right_tail) = right.as_chunks::<16>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..16 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let tail: f32 = left_tail.iter().zip(right_tail).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + tail
}
