//! Refinements: better masks from the masks of any method. One file each.
//!
//! To add a refinement, write its file and add its line to [`REFINEMENTS`].

mod dsnot;
mod swaps;

pub(crate) use dsnot::{Dsnot, EXPLANATION as DSNOT_EXPLANATION};

use compute::Matrix;

use crate::methods::{PrunedLinear, Room, Target};
use crate::{Error, InputStatistics, Needs, Result};

/// A way to exchange removed weights for kept ones after any method.
pub trait Refinement: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// What it has to know of the inputs.
    fn needs(&self) -> Needs;

    /// What it takes in memory beside the statistics, the dense and the pruned weights.
    fn room(&self) -> Room {
        Room::default()
    }

    /// Prepares what the linears of a site share: they see the same inputs.
    ///
    /// # Errors
    /// When the statistics do not serve.
    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Exchange + 'a>>;
}

/// A refinement that has seen the inputs of a site.
pub trait Exchange {
    /// Exchanges weights of `pruned`, `[out, in]`, within each row, and within each group of an N:M
    /// pattern; `dense` holds what they were before the method. As many are removed as before.
    ///
    /// # Errors
    /// When the weights do not serve.
    fn refine(&self, dense: &Matrix, pruned: PrunedLinear, target: Target) -> Result<PrunedLinear>;
}

/// Every refinement, in the order they are listed to users.
pub const REFINEMENTS: &[&dyn Refinement] = &[&swaps::Swaps, &dsnot::Dsnot];

/// The refinement called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Refinement> {
    REFINEMENTS.iter().copied().find(|refinement| refinement.name() == name).ok_or_else(|| {
        Error::Unknown {
            kind: "refinement",
            name: name.into(),
            known: REFINEMENTS.iter().map(|r| r.name()).collect::<Vec<_>>().join(", "),
        }
    })
}

/// Width of the groups of consecutive inputs within which weights are exchanged, of `inputs`.
fn group_width(target: Target, inputs: usize) -> usize {
    match target.pattern {
        crate::Pattern::NofM { of, .. } => of,
        crate::Pattern::Fraction { .. } => inputs,
    }
}
