//! Magnitude pruning.

use compute::Matrix;

use super::{Method, Prepared, PrunedLinear, Room, Target, remove};
use crate::{InputStatistics, Mask, Needs, Result, Scope};

/// Removes the smallest weights.
pub(super) struct Magnitude;

impl Method for Magnitude {
    fn name(&self) -> &'static str {
        "magnitude"
    }

    fn summary(&self) -> &'static str {
        "removes the smallest weights; needs no data"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Scores every weight by its size, |W_ij|, and removes the smallest.

When to use it
  As a baseline, or where no calibration data can be had. At 50 % and above it loses far more
  than methods that look at the inputs.

Parameters
  --scope layer (default): all weights of a linear compete. --scope row: each output gives up
  the same share. N:M patterns compare within each group of M consecutive inputs.

Cost
  No forward pass, no calibration data: the time to read and write the checkpoint.

Reference
  Han et al., Learning both Weights and Connections for Efficient Neural Networks, 2015."
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }

    fn default_scope(&self) -> Scope {
        Scope::Layer
    }

    fn room(&self) -> Room {
        Room { site_matrices: 0, linear_matrices: 1 } // the scores
    }

    fn prepare<'a>(&self, _: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        Ok(Box::new(Sizes))
    }
}

/// Magnitude pruning shares nothing between linears.
struct Sizes;

impl Prepared for Sizes {
    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        Ok(remove(dense, Mask::of_least_size(dense, target.pattern, target.scope)))
    }
}
