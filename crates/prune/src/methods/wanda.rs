//! Wanda: pruning by weights and activations.

use compute::Matrix;
use rayon::prelude::*;

use super::{Method, Prepared, PrunedLinear, Room, Target, remove_smallest};
use crate::{InputStatistics, Needs, Result, Scope};

/// Removes the weights whose product with their input's norm is smallest.
pub(super) struct Wanda;

impl Method for Wanda {
    fn name(&self) -> &'static str {
        "wanda"
    }

    fn summary(&self) -> &'static str {
        "removes the weights with the smallest |weight| x input norm; one forward pass"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Scores every weight by |W_ij| * ||X_j||, its size times the norm of its input over all
  calibration tokens, and removes the smallest of each output row. The weights that stay are
  not changed.

When to use it
  The first choice up to about 50 %, and wherever the kept weights must stay what they were.

Parameters
  --scope row (default): each output row gives up floor(inputs * sparsity) weights.
  --scope layer: all weights of a linear compete. N:M patterns compare within each group of M
  consecutive inputs.

Cost
  One forward pass over the calibration data; a sum of squares per input.

Reference
  Sun et al., A Simple and Effective Pruning Approach for Large Language Models, ICLR 2024,
  equation 1."
    }

    fn needs(&self) -> Needs {
        Needs::SQUARED_NORMS
    }

    fn default_scope(&self) -> Scope {
        Scope::Row
    }

    fn room(&self) -> Room {
        Room { site_matrices: 0, linear_matrices: 1 } // the scores
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        Ok(Box::new(InputNorms { norms: inputs.norms() }))
    }
}

/// ‖X_j‖₂ of every input, `[in]`.
struct InputNorms {
    norms: Vec<f32>,
}

impl Prepared for InputNorms {
    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let mut scores = Matrix::zeros(dense.rows(), dense.cols());
        let width = dense.cols().max(1);
        let rows =
            scores.as_mut_slice().par_chunks_mut(width).zip(dense.as_slice().par_chunks(width));
        rows.for_each(|(scores, weights)| {
            for ((score, weight), norm) in scores.iter_mut().zip(weights).zip(&self.norms) {
                *score = weight.abs() * norm;
            }
        });
        Ok(remove_smallest(dense, &scores, target))
    }
}
