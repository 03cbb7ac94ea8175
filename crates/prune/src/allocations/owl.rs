//! OWL: blocks with more outliers give up less.

use compute::Matrix;
use rayon::prelude::*;

use super::{Allocation, Dense, shares};
use crate::sweep::Activations;
use crate::{Error, InputStatistics, Needs, Result};

/// A score is an outlier above this many times the block's mean.
const OUTLIER: f64 = 5.0;

/// Half of the width over which sparsities are spread.
const LAMBDA: f64 = 0.08;

/// Sparsities by the share of outliers among the scores of each block.
pub(super) struct Owl;

impl Allocation for Owl {
    fn name(&self) -> &'static str {
        "owl"
    }

    fn summary(&self) -> &'static str {
        "blocks with more outliers among |weight| x input norm give up less; one forward pass more"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Runs the dense model over the calibration data and counts, for each block, the share D of
  scores |W_ij| * ||X_j|| above 5 times the block's mean score. Sparsities are linear in D over
  a width of 0.16, the block with most outliers lowest, moved so that the mean over all weights
  is the target.

When to use it
  At 60 % and above. It helps most models and has hurt some (OPT-6.7B with SparseGPT): compare
  with uniform on text that was not used for calibration.

Parameters
  Outliers are above M = 5 means; lambda, half the width, is 0.08. Sparsities stay within 0 and
  0.95.

Cost
  One forward pass over the calibration data before the sweep, and one look at every weight.

Reference
  Yin et al., Outlier Weighed Layerwise Sparsity (OWL), ICML 2024, equations 1 and 2."
    }

    fn needs_calibration(&self) -> bool {
        true
    }

    fn blocks(&self) -> u64 {
        1
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let (model, weights) = (dense.model, dense.weights());
        let sequences = &dense.calibration.expect("the allocation asks for it").sequences;
        let mut activations = Activations::embed(model, sequences)?;
        let mut outliers = Vec::new();
        dense.observer.started("outliers", weights.len() as u64);
        for block in 0..weights.len() {
            let (frame, linears) = (model.frame(block)?, model.block(block)?);
            let stages = linears.stages();
            let needs = Needs::SQUARED_NORMS;
            let statistics =
                activations.measure_and_advance(&frame, stages, needs, dense.observer)?;
            outliers.push(share_of_outliers(dense, block, &statistics)?);
            dense.observer.advanced(1);
        }
        dense.observer.finished();
        Ok(shares_of(&outliers, &weights, target))
    }
}

/// The share of zeros of every block, from its share of outliers and its number of weights.
fn shares_of(outliers: &[f64], weights: &[f64], target: f64) -> Vec<f64> {
    let fewest: Vec<f64> = outliers.iter().map(|share| -share).collect();
    shares::shifted(&shares::spread(&fewest, weights, 2.0 * LAMBDA), weights, target)
}

/// The share of outliers among the scores of a block; 0 where nothing of it will be pruned.
fn share_of_outliers(
    dense: &Dense<'_>,
    block: usize,
    statistics: &[InputStatistics],
) -> Result<f64> {
    for (statistics, stage) in statistics.iter().zip(&dense.model.spec().blocks[block].stages) {
        if let Some(input) = statistics.first_non_finite() {
            return Err(Error::Activations { block, site: stage.site, input });
        }
    }
    let mut block_scores = Scores::default();
    for (stage, linear) in dense.linears(block) {
        block_scores.add(&dense.model.matrix(&linear.tensor)?, &statistics[stage].norms());
    }
    let mut above = 0;
    // read again rather than kept: a block in f32 may be larger than everything else
    for (stage, linear) in dense.linears(block) {
        let weights = dense.model.matrix(&linear.tensor)?;
        above += block_scores.outliers(&weights, &statistics[stage].norms());
    }
    Ok(above as f64 / block_scores.count.max(1) as f64)
}

/// The scores |W_ij| · ‖X_j‖ of the linears of a block.
#[derive(Default)]
struct Scores {
    sum: f64,
    count: usize,
}

impl Scores {
    /// Takes in the scores of `weights`, `[out, in]`, with the norms of their inputs, `[in]`.
    fn add(&mut self, weights: &Matrix, norms: &[f32]) {
        let rows = weights.as_slice().par_chunks(norms.len().max(1));
        let sums: Vec<f64> = rows.map(|row| scores(row, norms).sum()).collect();
        self.sum += sums.iter().sum::<f64>();
        self.count += weights.as_slice().len();
    }

    /// How many scores of `weights` are above [`OUTLIER`] times the mean of all that were taken in.
    fn outliers(&self, weights: &Matrix, norms: &[f32]) -> usize {
        let limit = OUTLIER * self.sum / self.count.max(1) as f64;
        let rows = weights.as_slice().par_chunks(norms.len().max(1));
        rows.map(|row| scores(row, norms).filter(|score| *score > limit).count()).sum()
    }
}

fn scores(row: &[f32], norms: &[f32]) -> impl Iterator<Item = f64> {
    row.iter().zip(norms).map(|(weight, norm)| f64::from(weight.abs()) * f64::from(*norm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocations::golden::Golden;

    /// The share of outliers of a block of these linears.
    fn outliers(linears: &[(Matrix, Vec<f32>)]) -> f64 {
        let mut block = Scores::default();
        linears.iter().for_each(|(weights, norms)| block.add(weights, norms));
        let above = linears.iter().map(|(weights, norms)| block.outliers(weights, norms));
        above.sum::<usize>() as f64 / block.count.max(1) as f64
    }

    #[test]
    fn it_is_the_plain_rendering_of_the_formulas() {
        let golden = Golden::read();
        let outliers: Vec<f64> =
            golden.blocks.iter().map(|block| outliers(std::slice::from_ref(block))).collect();
        golden.check("owl", &outliers, 0.0, |target| shares_of(&outliers, &golden.sizes(), target));
    }

    #[test]
    fn outliers_are_counted_over_the_whole_block() {
        let mut weights = Matrix::from_vec(2, 10, vec![1.0; 20]);
        let norms = vec![1.0; 10];
        assert_eq!(outliers(&[(weights.clone(), norms.clone())]), 0.0);
        weights.row_mut(1)[3] = -20.0;
        let other = Matrix::from_vec(1, 10, vec![0.5; 10]);
        assert_eq!(outliers(&[(weights, norms.clone()), (other, norms)]), 1.0 / 30.0);
        assert_eq!(outliers(&[]), 0.0);
    }
}
