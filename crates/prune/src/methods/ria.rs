//! RIA: relative importance and activations.

use compute::Matrix;
use rayon::prelude::*;

use super::{Method, Prepared, PrunedLinear, Room, Target, remove_smallest};
use crate::{InputStatistics, Needs, Result, Scope};

/// Removes the weights that are small beside the others of their row and of their column.
pub(super) struct Ria;

impl Method for Ria {
    fn name(&self) -> &'static str {
        "ria"
    }

    fn summary(&self) -> &'static str {
        "removes the weights that are small beside those of their row and column; one forward pass"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Scores every weight by (|W_ij| / sum of |W_.j| + |W_ij| / sum of |W_i.|) * ||X_j||^0.5: its
  share of its input's weights and of its output's weights, times the square root of the norm
  of its input over all calibration tokens. Removes the smallest of the linear. The weights
  that stay are not changed.

When to use it
  Where Wanda's cost is wanted and no input or output should lose all its weights. A little
  better than Wanda at 50 % in its paper.

Parameters
  --scope layer (default): all weights of a linear compete. --scope row: each output gives up
  the same share. N:M patterns compare within each group of M consecutive inputs. The power of
  the norm is 0.5.

Cost
  One forward pass over the calibration data; a sum of squares per input.

Reference
  Zhang et al., Plug-and-Play: An Efficient Post-training Pruning Method for Large Language
  Models, ICLR 2024, equations 3 and 4; without its permutation of the channels."
    }

    fn needs(&self) -> Needs {
        Needs::SQUARED_NORMS
    }

    fn default_scope(&self) -> Scope {
        Scope::Layer
    }

    fn room(&self) -> Room {
        Room { site_matrices: 0, linear_matrices: 1 } // the scores
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        let roots = inputs.norms().into_iter().map(f32::sqrt).collect();
        Ok(Box::new(Relative { roots }))
    }
}

/// ‖X_j‖₂^0.5 of every input, `[in]`.
struct Relative {
    roots: Vec<f32>,
}

impl Prepared for Relative {
    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let width = dense.cols().max(1);
        let columns = column_sums(dense);
        let mut scores = Matrix::zeros(dense.rows(), dense.cols());
        let rows = scores.as_mut_slice().par_chunks_mut(width);
        rows.zip(dense.as_slice().par_chunks(width)).for_each(|(scores, weights)| {
            let row = weights.iter().map(|weight| f64::from(weight.abs())).sum::<f64>();
            let values = weights.iter().zip(&columns).zip(&self.roots);
            for (score, ((weight, column), root)) in scores.iter_mut().zip(values) {
                let size = f64::from(weight.abs());
                // a row or column of zeros has no sum to be a share of
                let share = if size > 0.0 { size / column + size / row } else { 0.0 };
                *score = (share * f64::from(*root)) as f32;
            }
        });
        Ok(remove_smallest(dense, &scores, target))
    }
}

/// Σ_i |W_ij| of every input, `[in]`.
fn column_sums(dense: &Matrix) -> Vec<f64> {
    let mut sums = vec![0.0; dense.cols()];
    for row in dense.as_slice().chunks(dense.cols().max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += f64::from(weight.abs()));
    }
    sums
}
