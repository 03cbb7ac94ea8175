//! Least squares on the weights that a mask keeps.

use compute::{Matrix, Multiplier};

use crate::least_squares::conjugate_gradient;
use crate::methods::{PrunedLinear, Room};
use crate::normalised::{Normalised, Scale};
use crate::{InputStatistics, Result};

/// What is added to the diagonal of the Gram matrix, in units of its mean.
const DAMPING: f32 = 0.01;

/// Products with the Gram matrix.
const ITERATIONS: usize = 10;

/// The residual, in units of the first, at which a row is done.
const TOLERANCE: f32 = 1e-4;

/// Chooses the kept weights of every row anew so that the outputs stay as close as they can to the
/// dense ones: `min (w − w₀)ᵀ(G + λI)(w − w₀)` over the kept weights of the row, from where the method
/// left them, by conjugate gradients on the Gram matrix that the linears of the site share
/// (preconditioned by its diagonal).
pub(crate) struct Refit {
    gram: Multiplier,
    scale: Scale,
}

impl Refit {
    /// The normalised Gram while it is packed; dense and pruned weights of that problem, and three of the iteration.
    pub(crate) const ROOM: Room = Room { site_matrices: 2, linear_matrices: 5 };

    /// Prepares what the linears of a site share.
    pub(crate) fn prepare(inputs: &InputStatistics) -> Result<Self> {
        let Normalised { gram, scale } = Normalised::new(inputs.symmetric_gram()?, DAMPING);
        Ok(Self { gram: Multiplier::fast(gram), scale })
    }

    /// Changes the kept weights of `pruned`, `[out, in]`; `dense` holds what they were at first.
    pub(crate) fn refit(&self, dense: &Matrix, mut pruned: PrunedLinear) -> PrunedLinear {
        let removed = pruned.mask.removed();
        let target = self.scale.weights(dense);
        let mut weights = self.scale.weights(&pruned.weights);
        conjugate_gradient(&self.gram, &target, removed, &mut weights, ITERATIONS, TOLERANCE);
        self.scale.restore(&mut weights, &pruned.weights, removed);
        pruned.weights = weights;
        pruned
    }
}
