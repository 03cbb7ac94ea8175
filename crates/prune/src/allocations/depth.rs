//! Later blocks give up more.

use super::{Allocation, Dense, shares};
use crate::Result;

/// What the last block gives up more than the first.
const RISE: f64 = 0.2;

/// A sparsity that grows linearly with depth.
pub(super) struct Depth;

impl Allocation for Depth {
    fn name(&self) -> &'static str {
        "depth"
    }

    fn summary(&self) -> &'static str {
        "the later a block, the more it gives up; linear in depth, needs no data"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Gives block l of L the sparsity a + 0.2 * l / (L - 1), with a such that the mean over all
  weights is the target. An error of an early block goes through all blocks that follow.

When to use it
  At 60 % and above, where a choice is wanted that costs nothing.

Parameters
  The rise from the first to the last block is 0.2. Sparsities stay within 0 and 0.95.

Cost
  None.

Reference
  Huang et al., Determining Layer-wise Sparsity for Large Language Models Through a Theoretical
  Perspective (ATP), ICML 2025: an arithmetic progression; there the rise is searched for."
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let weights = dense.weights();
        let depths: Vec<f64> = (0..weights.len()).map(|block| block as f64).collect();
        Ok(shares::shifted(&shares::spread(&depths, &weights, RISE), &weights, target))
    }
}
