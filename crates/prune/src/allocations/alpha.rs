//! AlphaPruning: blocks with heavier tails give up less.

use compute::{Matrix, eigenvalues};

use super::{Allocation, Dense, shares};
use crate::methods::Room;
use crate::{Error, Result};

/// Sparsities are spread over `[1 - EPSILON, 1 + EPSILON]` times a common one.
const EPSILON: f64 = 0.3;

/// Squared singular values below this are left out.
const LEAST: f32 = 1e-5;

/// Sparsities by the exponent of the spectrum of each block's weights.
pub(super) struct Alpha;

impl Allocation for Alpha {
    fn name(&self) -> &'static str {
        "alpha"
    }

    fn summary(&self) -> &'static str {
        "blocks whose weights have heavier-tailed spectra give up less; needs no data"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Estimates the exponent alpha of the tail of each linear's squared singular values (Hill's
  estimator on the larger half of them): the smaller, the heavier the tail and the better
  trained the weights are held to be. A block's alpha is the mean of its linears. Sparsities
  are linear in alpha over 0.7 to 1.3 times a common one, such that the mean over all weights is
  the target.

When to use it
  At 60 % and above, where no calibration pass is wanted for the choice.

Parameters
  epsilon is 0.3. Sparsities stay within 0 and 0.95.

Cost
  The eigenvalues of each linear's smaller Gram matrix (about 4/3 x its width^3 operations).

Reference
  Lu et al., AlphaPruning: Using Heavy-Tailed Self Regularization Theory for Improved Layer-wise
  Pruning of Large Language Models, NeurIPS 2024, equations 2 and 3."
    }

    fn room(&self) -> Room {
        // turned around; Gram, its copy, working space
        Room { site_matrices: 0, linear_matrices: 4 }
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let weights = dense.weights();
        let mut exponents = Vec::new();
        dense.observer.started("spectra", weights.len() as u64);
        for block in 0..weights.len() {
            dense.observer.check()?;
            exponents.push(mean_exponent(dense, block)?);
            dense.observer.advanced(1);
        }
        dense.observer.finished();
        Ok(shares_of(&exponents, &weights, target))
    }
}

/// The share of zeros of every block, from its exponent and its number of weights.
fn shares_of(exponents: &[f64], weights: &[f64], target: f64) -> Vec<f64> {
    let spread = shares::spread(exponents, weights, 2.0 * EPSILON);
    let factors: Vec<f64> = spread.iter().map(|place| 1.0 - EPSILON + place).collect();
    let total: f64 = factors.iter().zip(weights).map(|(factor, weight)| factor * weight).sum();
    let common = target * weights.iter().sum::<f64>() / total;
    let scaled: Vec<f64> = factors.iter().map(|factor| factor * common).collect();
    // nothing is left to move unless a share is above the limit
    shares::shifted(&scaled, weights, target)
}

/// The mean exponent of the linears of a block that will be pruned; 0 where there are none.
fn mean_exponent(dense: &Dense<'_>, block: usize) -> Result<f64> {
    let exponent = |(_, linear): (usize, &lm::LinearSpec)| {
        let weights = dense.model.matrix(&linear.tensor)?;
        exponent(&weights).ok_or_else(|| Error::Spectrum { tensor: linear.tensor.clone() })
    };
    let exponents = dense.linears(block).map(exponent).collect::<Result<Vec<_>>>()?;
    Ok(exponents.iter().sum::<f64>() / exponents.len().max(1) as f64)
}

/// Hill's estimate of the exponent of the tail of the squared singular values of `weights`,
/// `[out, in]`: `1 + k / Σ ln(λ_i / λ_min)` over the `k` largest half of them. Nothing where there
/// are none or they do not differ.
fn exponent(weights: &Matrix) -> Option<f64> {
    let narrow =
        if weights.rows() < weights.cols() { weights.transposed() } else { weights.clone() };
    let mut gram = Matrix::zeros(narrow.cols(), narrow.cols());
    compute::add_gram(narrow.view(), &mut gram);
    compute::mirror_lower(&mut gram);
    let values = eigenvalues(&gram)?.into_iter().filter(|value| *value > LEAST);
    let values: Vec<f64> = values.map(f64::from).collect();
    let tail = values.get(values.len() / 2..).filter(|tail| !tail.is_empty())?;
    let sum: f64 = tail.iter().map(|value| (value / tail[0]).ln()).sum();
    (sum > 0.0).then(|| 1.0 + tail.len() as f64 / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocations::golden::Golden;

    #[test]
    fn it_is_the_plain_rendering_of_the_formulas() {
        let golden = Golden::read();
        let exponents: Vec<f64> =
            golden.blocks.iter().map(|(weights, _)| exponent(weights).unwrap()).collect();
        let sizes = golden.sizes();
        golden.check("alpha", &exponents, 1e-4, |target| shares_of(&exponents, &sizes, target));
    }

    #[test]
    fn the_exponent_is_hills_estimate() {
        // diag(1, 2, 4, 8): squares 1, 4, 16, 64; the larger half is 16, 64
        let mut weights = Matrix::zeros(4, 6);
        (0..4).for_each(|i| weights.row_mut(i)[i] = 2f32.powi(i as i32));
        let expected = 1.0 + 2.0 / 4f64.ln();
        for weights in [weights.transposed(), weights] {
            assert!((exponent(&weights).unwrap() - expected).abs() < 1e-4);
        }
        assert!(exponent(&Matrix::zeros(3, 3)).is_none());
    }
}
