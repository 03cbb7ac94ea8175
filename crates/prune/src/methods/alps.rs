//! ALPS: operator splitting for the support, conjugate gradients for the weights.

use compute::{Matrix, Multiplier, add_by_mask, scale_by_mask_and_add, symmetric_inverse};
use rayon::prelude::*;

use super::{Method, Prepared, PrunedLinear, Room, Target, damping};
use crate::least_squares::conjugate_gradient;
use crate::normalised::{Normalised, Scale};
use crate::{Error, InputStatistics, Mask, Needs, Result, Scope};

/// What is added to the diagonal, in units of its mean; ten times more after each failure.
const DAMPING: f32 = 0.01;

/// The first penalty on the difference between the two copies of the weights.
const RHO: f32 = 0.1;

/// Iterations between two changes of rho.
const INTERVAL: usize = 3;

/// Changes of rho before the support is taken as it is.
const CHANGES: usize = 100;

/// Times the splitting may begin anew with a smaller rho.
const RESTARTS: usize = 5;

/// Iterations of the conjugate gradients at the end, and the residual at which a row is done.
const ITERATIONS: usize = 10;
const TOLERANCE: f32 = 1e-4;

/// Finds the support by operator splitting with a growing penalty.
pub(super) struct Alps;

impl Method for Alps {
    fn name(&self) -> &'static str {
        "alps"
    }

    fn summary(&self) -> &'static str {
        "finds mask and weights together until the mask is stable; one forward pass and a Gram"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Keeps a free and a sparse copy of the weights and draws them together, with a penalty rho that
  grows by 1.3, 1.2 or 1.1 every three iterations, by how much of the mask still changes, until
  none of it does. Then solves for the kept weights by ten conjugate gradient iterations. Inputs
  are divided by their norms.

When to use it
  From 50 % up and for N:M patterns where quality counts more than minutes: the best published
  results of methods that look at one layer at a time.

Parameters
  --scope layer (default): all weights of a linear compete. --scope row: each output gives up
  the same share. N:M patterns choose within each group of M inputs. rho begins at 0.1. Damping is
  0.01 of the mean diagonal; it is raised tenfold, and said so in the report, where that is too
  little.

Cost
  One forward pass and the Gram matrix of each site (inputs^2 x 4 bytes) for the linears that
  share it; for each linear about 45 products of outputs x inputs^2, and an inverse, inputs^3, for
  each of a dozen values of rho.

Reference
  Meng et al., ALPS: Improved Optimization for Highly Sparse One-Shot Pruning for Large Language
  Models, NeurIPS 2024, algorithms 1 and 2."
    }

    fn needs(&self) -> Needs {
        Needs::GRAM
    }

    fn default_scope(&self) -> Scope {
        Scope::Layer
    }

    fn room(&self) -> Room {
        // Gram, normalised Gram and its panels, two inverses, one under way; what `prune` holds
        Room { site_matrices: 6, linear_matrices: 5 }
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        let gram = inputs.symmetric_gram()?;
        let invert = |damping: f32| {
            let Normalised { gram, scale } = Normalised::new(gram.clone(), damping);
            // definite without rho, which may become small
            symmetric_inverse(&gram, 0.0)?.recycle();
            let inverse = symmetric_inverse(&gram, RHO)?;
            Some((gram, scale, inverse))
        };
        let ((gram, scale, inverse), damping) = damping::raised(DAMPING, invert)?;
        let multiplier = Multiplier::fast(gram.clone());
        let inverse = Multiplier::fast(inverse);
        Ok(Box::new(Splitting { gram, multiplier, scale, inverse, damping }))
    }
}

/// What the linears of a site share.
struct Splitting {
    /// A, `[in, in]`.
    gram: Matrix,
    /// The same for products.
    multiplier: Multiplier,
    scale: Scale,
    /// `(A + ρI)⁻¹` for the first rho, `[in, in]`.
    inverse: Multiplier,
    damping: f32,
}

impl Prepared for Splitting {
    fn notes(&self) -> Vec<String> {
        damping::notes(DAMPING, self.damping)
    }

    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let weights = self.scale.weights(dense);
        let mut state = State::new(&weights, &self.multiplier, target);
        if state.mask.count() == 0 {
            return Ok(PrunedLinear { mask: state.mask, weights: dense.clone() });
        }
        self.settle(&mut state, &weights)?;
        let State { mut free, .. } = state;
        let mask = Mask::of_least_size(&free, target.pattern, target.scope);
        mask.apply(&mut free);
        let removed = mask.removed();
        conjugate_gradient(&self.multiplier, &weights, removed, &mut free, ITERATIONS, TOLERANCE);
        self.scale.restore(&mut free, dense, removed);
        Ok(PrunedLinear { mask, weights: free })
    }
}

impl Splitting {
    /// Iterates until the support stays the same from one change of rho to the next.
    ///
    /// # Errors
    /// When rho is too small for the inverse.
    fn settle(&self, state: &mut State, weights: &Matrix) -> Result<()> {
        let (mut rho, mut growing, mut restarts) = (RHO, false, 0);
        let mut current = None;
        for _ in 0..CHANGES {
            let before = state.mask.clone();
            let inverse = current.as_ref().unwrap_or(&self.inverse);
            (0..INTERVAL).for_each(|_| state.iterate(inverse, rho));
            let changed = changes(&before, &state.mask);
            let share = changed as f64 / (before.removed().len() - before.count()) as f64;
            match share {
                _ if share > 0.1 => rho *= 1.3,
                _ if share > 0.005 => rho *= 1.2,
                _ if growing && changed > 0 => rho *= 1.1,
                _ if growing || restarts == RESTARTS => return Ok(()),
                _ => rho /= 5.0,
            }
            growing = growing || share > 0.005;
            if !growing {
                // rho was so large that nothing moved
                restarts += 1;
                state.begin(weights);
            }
            let inverse = symmetric_inverse(&self.gram, rho);
            let inverse = inverse.ok_or(Error::Singular { damping: self.damping + rho })?;
            current = Some(Multiplier::fast(inverse));
        }
        Ok(())
    }
}

/// One linear on the way. All matrices are `[out, in]`.
struct State {
    target: Target,
    /// `W₀A`.
    goal: Matrix,
    /// B.
    free: Matrix,
    /// The sparse copy D where the mask keeps, the dual V where it removes, divided by `unit`: each is
    /// zero where the other is not.
    split: Matrix,
    /// The rho of the last iteration.
    unit: f32,
    /// The right side of the next B.
    right: Matrix,
    mask: Mask,
}

impl State {
    fn new(weights: &Matrix, gram: &Multiplier, target: Target) -> Self {
        let mut goal = Matrix::default();
        gram.multiply(weights, &mut goal);
        let mask = Mask::of_least_size(weights, target.pattern, target.scope);
        let (free, right, unit) = (weights.clone(), goal.clone(), RHO);
        let mut state = Self { target, goal, free, split: weights.clone(), unit, right, mask };
        state.mask.apply(&mut state.split);
        state
    }

    /// Goes back to where it began.
    fn begin(&mut self, weights: &Matrix) {
        self.mask = Mask::of_least_size(weights, self.target.pattern, self.target.scope);
        self.split.as_mut_slice().copy_from_slice(weights.as_slice());
        self.mask.apply(&mut self.split);
    }

    /// `B = (A + ρI)⁻¹(W₀A − V + ρD)`; D keeps the largest of `B + V/ρ`; `V += ρ(B − D)`.
    fn iterate(&mut self, inverse: &Multiplier, rho: f32) {
        let unit = std::mem::replace(&mut self.unit, rho);
        let (removed, sources) =
            (self.mask.removed(), (self.goal.as_slice(), self.split.as_slice()));
        add_by_mask(self.right.as_mut_slice(), sources, [rho, -unit], removed);
        inverse.multiply(&self.right, &mut self.free);
        let (split, free) = (self.split.as_mut_slice(), self.free.as_slice());
        scale_by_mask_and_add(split, free, [0.0, unit / rho], removed);
        self.mask = Mask::of_least_size(&self.split, self.target.pattern, self.target.scope);
    }
}

/// Positions in which two masks differ.
fn changes(left: &Mask, right: &Mask) -> usize {
    left.removed().par_iter().zip(right.removed()).filter(|(left, right)| left != right).count()
}
