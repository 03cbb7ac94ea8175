//! Every block gives up the same.

use super::{Allocation, Dense};
use crate::Result;

/// The target for every block.
pub(super) struct Uniform;

impl Allocation for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn summary(&self) -> &'static str {
        "every block gives up the same share"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Every linear of every block is pruned to the target.

When to use it
  The reference of every published table, and the only choice for plain N:M patterns.

Parameters
  None.

Cost
  None.

Reference
  The setting of Wanda (Sun et al., 2024) and SparseGPT (Frantar and Alistarh, 2023)."
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        Ok(vec![target; dense.plan.blocks.len()])
    }
}
