//! ADMM with a mask that is chosen on the way.

use compute::{Matrix, Multiplier};
use rayon::prelude::*;

use super::{Method, Prepared, PrunedLinear, Room, Target, damping};
use crate::normalised::{Normalised, Scale};
use crate::{InputStatistics, Mask, Needs, Pattern, Result, Scope};

/// What is added to the unit diagonal; ten times more after each failure.
const DAMPING: f32 = 0.1;

/// Weight of the difference between the free and the sparse copy.
const RHO: f32 = 1.0;

/// Iterations.
const ITERATIONS: usize = 30;

/// Iterations in which the mask is chosen anew.
const CHOICES: usize = 25;

/// Alternates between the best free weights and the best sparse ones, each drawn to the other.
pub(super) struct Admm;

impl Method for Admm {
    fn name(&self) -> &'static str {
        "admm"
    }

    fn summary(&self) -> &'static str {
        "alternates between least squares and masking, 30 times; one forward pass and a Gram"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Keeps a free and a sparse copy of the weights and draws them together (alternating direction
  method of multipliers) so that the outputs stay as close as they can. Inputs are divided by
  their norms. The mask is chosen anew in each of the first 25 of 30 iterations, of a sparsity
  that grows to the target like 1 - (1 - t)^3; the last five settle the kept weights.

When to use it
  From 50 % up and for N:M patterns, where it is better than SparseGPT; ALPS is better still and
  takes longer.

Parameters
  --scope layer (default): all weights of a linear compete. --scope row: each output gives up
  the same share. N:M patterns choose within each group of M inputs, in full from the first
  iteration. Damping is 0.1 of the unit diagonal, raised tenfold, and said so in the report,
  where that is too little; rho is 1.

Cost
  One forward pass, the Gram matrix of each site (inputs^2 x 4 bytes), one inverse for the
  linears that share it (4/3 inputs^3), and 31 products of outputs x inputs^2.

Reference
  Boza, Fast and Effective Weight Update for Pruned Large Language Models, TMLR 2024,
  algorithm 1. The growing sparsity is the paper's; the released code leaves it out where the
  zeros may be anywhere. 15 of 20 iterations there: where tokens are fewer than inputs, a growing
  sparsity needs more of them."
    }

    fn needs(&self) -> Needs {
        Needs::GRAM
    }

    fn default_scope(&self) -> Scope {
        Scope::Layer
    }

    fn room(&self) -> Room {
        // the normalised Gram and the inverse with its factors; what `prune` holds
        Room { site_matrices: 6, linear_matrices: 4 }
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        let Normalised { gram, scale } = Normalised::new(inputs.symmetric_gram()?, 0.0);
        let invert = |damping: f32| compute::symmetric_inverse(&gram, damping + RHO);
        let (inverse, damping) = damping::raised(DAMPING, invert)?;
        let [gram, inverse] = [gram, inverse].map(Multiplier::new);
        Ok(Box::new(Alternation { gram, scale, inverse, damping }))
    }
}

/// What the linears of a site share.
struct Alternation {
    /// A.
    gram: Multiplier,
    scale: Scale,
    /// `(A + damping · I + ρI)⁻¹`, `[in, in]`.
    inverse: Multiplier,
    damping: f32,
}

impl Prepared for Alternation {
    fn notes(&self) -> Vec<String> {
        damping::notes(DAMPING, self.damping)
    }

    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let mut free = self.scale.weights(dense);
        // W₀(A + damping · I)
        let mut goal = Matrix::default();
        self.gram.multiply(&free, &mut goal);
        let pairs = goal.as_mut_slice().par_iter_mut().zip(free.as_slice().par_iter());
        pairs.for_each(|(goal, weight)| *goal += self.damping * weight);
        // U, the scaled dual; then Z, the sparse copy, is what the mask keeps of W + U
        let mut dual = Matrix::zeros(dense.rows(), dense.cols());
        let mut mask = Mask::new(dense.rows(), dense.cols(), vec![false; goal.as_slice().len()]);
        let mut right = free.clone();
        for iteration in 0..ITERATIONS {
            dual.add_assign(&free);
            if iteration < CHOICES {
                mask = Mask::of_least_size(&dual, at(iteration, target.pattern), target.scope);
            }
            split(&mut dual, mask.removed(), &goal, &mut right);
            self.inverse.multiply(&right, &mut free);
        }
        dual.add_assign(&free);
        mask.apply(&mut dual);
        self.scale.restore(&mut dual, dense, mask.removed());
        Ok(PrunedLinear { mask, weights: dual })
    }
}

/// The pattern of an iteration.
fn at(iteration: usize, pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::NofM { .. } => pattern,
        Pattern::Fraction { .. } if iteration + 1 >= CHOICES => pattern,
        Pattern::Fraction { sparsity } => {
            let left = 1.0 - (iteration + 1) as f64 / CHOICES as f64;
            Pattern::Fraction { sparsity: sparsity * (1.0 - left.powi(3)) }
        }
    }
}

/// From `W + U` in `dual` makes the new `U = W + U − Z`, and in `right` the right side
/// `W₀A + ρ(Z − U)` of the next free copy.
fn split(dual: &mut Matrix, removed: &[bool], goal: &Matrix, right: &mut Matrix) {
    let values = dual.as_mut_slice().par_iter_mut().zip(right.as_mut_slice().par_iter_mut());
    let values = values.zip(goal.as_slice().par_iter()).zip(removed.par_iter());
    values.for_each(|(((both, right), goal), removed)| {
        if *removed {
            *right = goal - RHO * *both;
        } else {
            *right = goal + RHO * *both;
            *both = 0.0;
        }
    });
}
