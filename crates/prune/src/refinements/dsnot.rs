//! DSnoT: exchanging weights until the expected output is what it was.

use compute::Matrix;
use rayon::prelude::*;

use super::{Exchange, Refinement, group_width};
use crate::methods::{PrunedLinear, Room, Target};
use crate::{InputStatistics, Mask, Needs, Result};

/// The change of a row's expected output that is left alone.
const THRESHOLD: f64 = 0.1;

/// Exchanges in a row at most.
const CYCLES: usize = 50;

/// Grows and prunes weights in pairs that bring the expected output back to what it was.
pub(crate) struct Dsnot;

/// What the method of this name says of itself, too.
pub(crate) const EXPLANATION: &str = "\
What it does
  With e the change of an output's expected value, the sum of (W_ij - pruned W_ij) * mean(X_j),
  it takes back the removed weight with the largest sign(e) * W_ij * mean(X_j) / var(X_j), and
  removes the kept weight with the smallest |W_ij| * ||X_j|| among those that lower e, until e
  is small, would change its sign, or 50 pairs were exchanged. No other weight changes. As a method
  it begins with Wanda's mask; as a refinement with the mask of any method.

When to use it
  Above 50 %, where no Gram matrix can be afforded: nearly Wanda's cost, somewhat better masks.

Parameters
  e of 0.1 is left alone; the variance counts with power 1. --scope is that of the mask it begins
  with: each row keeps as many weights as that mask does. N:M patterns exchange within each group
  of M inputs. Every linear is refined.

Cost
  One forward pass over the calibration data; sums and sums of squares of each input; sorting
  each row once.

Reference
  Zhang et al., Dynamic Sparse No Training: Training-Free Fine-tuning for Sparse LLMs, ICLR 2024,
  equations 4 to 6. The released code refines attention alone by default.";

impl Refinement for Dsnot {
    fn name(&self) -> &'static str {
        "dsnot"
    }

    fn summary(&self) -> &'static str {
        "exchanges weights until each output's mean is what it was; needs means and variances"
    }

    fn explanation(&self) -> &'static str {
        EXPLANATION
    }

    fn needs(&self) -> Needs {
        Needs::MOMENTS
    }

    fn room(&self) -> Room {
        Room::default()
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Exchange + 'a>> {
        let tokens = inputs.tokens.max(1.0);
        let sums = inputs.sums.as_ref().expect("the refinement asks for them");
        let means: Vec<f64> = sums.iter().map(|sum| sum / tokens).collect();
        let squares = inputs.squared_norms.iter().map(|square| square / tokens);
        let variances = squares.zip(&means).map(|(square, mean)| (square - mean * mean).max(0.0));
        let norms = inputs.squared_norms.iter().map(|square| square.sqrt()).collect();
        Ok(Box::new(Moments { variances: variances.collect(), means, norms }))
    }
}

/// What the linears of a site share, `[in]` each.
struct Moments {
    means: Vec<f64>,
    variances: Vec<f64>,
    /// ‖X_j‖₂.
    norms: Vec<f64>,
}

impl Exchange for Moments {
    fn refine(&self, dense: &Matrix, pruned: PrunedLinear, target: Target) -> Result<PrunedLinear> {
        let (rows, cols) = (dense.rows(), dense.cols());
        let width = group_width(target, cols);
        let PrunedLinear { mask, mut weights } = pruned;
        let mut removed = mask.removed().to_vec();
        let parts = weights.as_mut_slice().par_chunks_mut(cols.max(1));
        let parts = parts.zip(removed.par_chunks_mut(cols.max(1)));
        parts.zip(dense.as_slice().par_chunks(cols.max(1))).for_each(
            |((weights, removed), dense)| {
                self.refine_row(dense, weights, removed, width);
            },
        );
        Ok(PrunedLinear { mask: Mask::new(rows, cols, removed), weights })
    }
}

impl Moments {
    /// Exchanges weights of one row, within groups of `width` inputs.
    fn refine_row(&self, dense: &[f32], weights: &mut [f32], removed: &mut [bool], width: usize) {
        let expected = |weight: f32, input: usize| f64::from(weight) * self.means[input];
        let inputs = 0..dense.len();
        let change = |input: usize| expected(dense[input], input) - expected(weights[input], input);
        let mut error: f64 = inputs.clone().map(change).sum();
        let sign = error.signum();
        let gain = |&input: &usize| {
            let value = sign * expected(dense[input], input);
            if value == 0.0 { 0.0 } else { value / self.variances[input] }
        };
        let mut grown: Vec<usize> = inputs.filter(|input| removed[*input]).collect();
        grown.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
        let mut candidates = self.candidates(weights, removed, sign);
        for grow in grown.into_iter().take(CYCLES) {
            let same_group = |input: &usize| input / width == grow / width;
            let Some(place) = candidates.iter().position(same_group) else { continue };
            let prune = candidates[place];
            let after = error + expected(weights[prune], prune) - expected(dense[grow], grow);
            if error.abs() <= THRESHOLD || after.signum() != sign || gain(&grow) <= 0.0 {
                break;
            }
            candidates.remove(place);
            (weights[grow], removed[grow]) = (dense[grow], false);
            (weights[prune], removed[prune]) = (0.0, true);
            error = after;
        }
    }

    /// The kept weights whose removal brings an error of this `sign` nearer to zero, the least
    /// |W_ij|·‖X_j‖ first.
    fn candidates(&self, weights: &[f32], removed: &[bool], sign: f64) -> Vec<usize> {
        let lowers = |input: &usize| {
            !removed[*input] && sign * f64::from(weights[*input]) * self.means[*input] < 0.0
        };
        let mut candidates: Vec<usize> = (0..weights.len()).filter(lowers).collect();
        let size = |input: usize| f64::from(weights[input].abs()) * self.norms[input];
        candidates.sort_by(|a, b| size(*a).total_cmp(&size(*b)));
        candidates
    }
}
