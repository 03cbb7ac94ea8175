//! Swaps: exchanging one removed weight for one kept, as long as the outputs gain by it.

use std::ops::Range;

use compute::{Matrix, Multiplier};
use rayon::prelude::*;

use super::{Exchange, Refinement, group_width};
use crate::least_squares::difference;
use crate::methods::{PrunedLinear, Room, Target};
use crate::normalised::{Normalised, Scale};
use crate::{InputStatistics, Mask, Needs, Result};

/// What is added to the diagonal of the Gram matrix, in units of its mean.
const DAMPING: f32 = 0.01;

/// Exchanges in a row at most.
const SWAPS: usize = 100;

/// Kept weights of a row that are tried against every removed one.
const CANDIDATES: usize = 16;

/// The gain, in units of the row's squared error, below which a row is done.
const GAIN: f64 = 1e-5;

/// Exchanges pairs of weights that lower the error of the outputs.
pub(super) struct Swaps;

impl Refinement for Swaps {
    fn name(&self) -> &'static str {
        "swaps"
    }

    fn summary(&self) -> &'static str {
        "exchanges one removed weight for one kept while the outputs gain by it; needs the Gram"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  With G the Gram matrix of the inputs and w0 the dense weights of an output, the error of its
  pruned weights w is (w - w0) G (w - w0)'. Takes the pair of a kept and a removed weight whose
  exchange lowers it most, the removed one coming back with the value that serves best, until no
  pair of those that are tried lowers it.

When to use it
  After wanda, ria or magnitude at 50 % and above, where the Gram matrix can be afforded; as a
  rule together with --refit.

Parameters
  Up to 100 exchanges in a row; the 16 kept weights that cost least are tried against every
  removed one. Each row keeps as many weights as before; N:M patterns exchange within each group
  of M inputs. Damping is 0.01 of the mean diagonal.

Cost
  The Gram matrix of each site (inputs^2 x 4 bytes); for each linear a product of
  outputs x inputs^2, and for each exchange about 20 x inputs operations.

Reference
  Zimmer et al., SparseSwaps: Tractable LLM Pruning Mask Refinement at Scale, 2025; there, weights
  come back as they were and every pair is tried."
    }

    fn needs(&self) -> Needs {
        Needs::GRAM
    }

    fn room(&self) -> Room {
        // the normalised Gram, plain and packed; dense and pruned weights of that problem, difference and gradient
        Room { site_matrices: 2, linear_matrices: 4 }
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Exchange + 'a>> {
        let Normalised { gram, scale } = Normalised::new(inputs.symmetric_gram()?, DAMPING);
        let products = Multiplier::new(gram.clone());
        Ok(Box::new(Pairs { gram, products, scale }))
    }
}

/// What the linears of a site share.
struct Pairs {
    gram: Matrix,
    products: Multiplier,
    scale: Scale,
}

impl Exchange for Pairs {
    fn refine(&self, dense: &Matrix, pruned: PrunedLinear, target: Target) -> Result<PrunedLinear> {
        let (rows, cols) = (dense.rows(), dense.cols().max(1));
        let width = group_width(target, cols);
        let mut weights = self.scale.weights(&pruned.weights);
        let missing = difference(&self.scale.weights(dense), &weights);
        let mut gradient = Matrix::default();
        self.products.multiply(&missing, &mut gradient);
        let mut removed = pruned.mask.removed().to_vec();
        let parts = weights.as_mut_slice().par_chunks_mut(cols);
        let parts = parts.zip(removed.par_chunks_mut(cols));
        let parts = parts.zip(gradient.as_mut_slice().par_chunks_mut(cols));
        parts.zip(missing.as_slice().par_chunks(cols)).for_each(
            |(((weights, removed), gradient), missing)| {
                let error = missing.iter().zip(gradient.iter());
                let error = error.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                let mut row = Row { gram: &self.gram, weights, removed, gradient };
                row.improve(width, error);
            },
        );
        self.scale.restore(&mut weights, dense, &removed);
        Ok(PrunedLinear { mask: Mask::new(rows, dense.cols(), removed), weights })
    }
}

/// One row of the normalised problem.
struct Row<'a> {
    gram: &'a Matrix,
    weights: &'a mut [f32],
    removed: &'a mut [bool],
    /// `(w₀ − w) G`.
    gradient: &'a mut [f32],
}

/// A kept weight for a removed one.
#[derive(Clone, Copy)]
struct Swap {
    prune: usize,
    grow: usize,
    /// What the squared error loses.
    gain: f32,
}

impl Row<'_> {
    /// Exchanges within groups of `width` inputs until it is not worth it; `error` is the row's.
    fn improve(&mut self, width: usize, mut error: f64) {
        for _ in 0..SWAPS {
            let Some(swap) = self.best(width) else { return };
            let gain = f64::from(swap.gain);
            if gain.is_nan() || gain <= GAIN * error {
                return;
            }
            self.exchange(swap);
            error -= gain;
        }
    }

    /// The best of the pairs that are tried.
    fn best(&self, width: usize) -> Option<Swap> {
        let prunes = self.cheapest(width);
        let best = prunes.into_iter().filter_map(|(prune, cost)| {
            let group = prune / width * width;
            self.partner(prune, cost, group..self.weights.len().min(group + width))
        });
        best.fold(None, |best: Option<Swap>, swap| match best {
            Some(best) if best.gain >= swap.gain => Some(best),
            _ => Some(swap),
        })
    }

    /// The kept weights to try, with what the squared error gains when they go: `2 w g + w²`. All of
    /// them where groups are narrow.
    fn cheapest(&self, width: usize) -> Vec<(usize, f32)> {
        let kept = (0..self.weights.len()).filter(|input| !self.removed[*input]);
        let cost =
            |input: usize| self.weights[input] * (2.0 * self.gradient[input] + self.weights[input]);
        let mut costs: Vec<(usize, f32)> = kept.map(|input| (input, cost(input))).collect();
        if width == self.weights.len() && costs.len() > CANDIDATES {
            costs.select_nth_unstable_by(CANDIDATES - 1, |a, b| {
                a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))
            });
            costs.truncate(CANDIDATES);
            costs.sort_unstable_by_key(|(input, _)| *input);
        }
        costs
    }

    /// The removed weight of `inputs` that gains most in place of `prune`: `(g_j + w_i G_ij)²`.
    fn partner(&self, prune: usize, cost: f32, inputs: Range<usize>) -> Option<Swap> {
        let (weight, row) = (self.weights[prune], self.gram.row(prune));
        let mut best: Option<(usize, f32)> = None;
        for grow in inputs {
            let pull = self.gradient[grow] + weight * row[grow];
            let pull = if self.removed[grow] { pull * pull } else { -1.0 };
            if pull > best.map_or(-0.5, |(_, pull)| pull) {
                best = Some((grow, pull));
            }
        }
        best.map(|(grow, pull)| Swap { prune, grow, gain: pull - cost })
    }

    fn exchange(&mut self, swap: Swap) {
        let Swap { prune, grow, .. } = swap;
        let weight = std::mem::take(&mut self.weights[prune]);
        let value = self.gradient[grow] + weight * self.gram.row(prune)[grow];
        self.weights[grow] = value;
        (self.removed[prune], self.removed[grow]) = (true, false);
        let rows = self.gram.row(prune).iter().zip(self.gram.row(grow));
        for (gradient, (pruned, grown)) in self.gradient.iter_mut().zip(rows) {
            *gradient += weight * pruned - value * grown;
        }
    }
}
