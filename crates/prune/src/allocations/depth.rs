//! Later blocks give up more.

use super::{Allocation, Dense, shares};
use crate::Result;

/// Sparsity up to which all blocks give up the same.
const EVEN: f64 = 0.4;
/// What the last of [`BLOCKS`] blocks or more gives up more than the first, at most.
const RISE: f64 = 0.2;
/// Blocks from which on the rise is not less than the sparsity allows.
const BLOCKS: usize = 30;

/// What the last block gives up more than the first, for a target above [`EVEN`] as much as that is
/// above it, at most [`RISE`]; between two blocks no more than in a model of [`BLOCKS`].
fn rise(blocks: usize, target: f64) -> f64 {
    let steps = blocks.saturating_sub(1).min(BLOCKS - 1) as f64;
    (target - EVEN).clamp(0.0, RISE) * steps / (BLOCKS - 1) as f64
}

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
  Gives block l of L the sparsity a + r * l / (L - 1), with a such that the mean over all weights
  is the target s. An error of an early block goes through all blocks that follow.

When to use it
  Above 40 %; it costs nothing. What --method auto takes for patterns that are not N:M.

Parameters
  The rise r is s - 0.4, between 0 and 0.2, with 30 blocks or more; with fewer the difference
  between neighbouring blocks is the same as with 30. Sparsities stay within 0 and 0.95.

Cost
  None.

Reference
  Huang et al., Determining Layer-wise Sparsity for Large Language Models Through a Theoretical
  Perspective (ATP), ICML 2025: an arithmetic progression; there the rise is searched for."
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let weights = dense.weights();
        let depths: Vec<f64> = (0..weights.len()).map(|block| block as f64).collect();
        let width = rise(weights.len(), target);
        Ok(shares::shifted(&shares::spread(&depths, &weights, width), &weights, target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rise_grows_with_sparsity_and_blocks_up_to_its_most() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(rise(30, 0.5), 0.1) && near(rise(30, 0.6), 0.2));
        assert!(near(rise(30, 0.9), 0.2) && near(rise(80, 0.6), 0.2));
        assert!(near(rise(30, 0.3), 0.0) && near(rise(1, 0.6), 0.0) && near(rise(0, 0.6), 0.0));
        assert!(near(rise(6, 0.6), 5.0 * rise(2, 0.6)), "the same from block to block");
    }
}
