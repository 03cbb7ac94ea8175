//! Allocations: how much each block gives up. One file each.
//!
//! To add an allocation, write its file and add its line to [`ALLOCATIONS`].

mod alpha;
mod auto;
mod depth;
mod error;
#[cfg(test)]
mod golden;
mod owl;
mod shares;
mod uniform;

use calib::CalibrationSet;
use lm::{LinearSpec, Model, Observer};

use crate::methods::Room;
use crate::sweep::Trials;
use crate::{Error, Plan, Result};

/// The largest share of zeros that an allocation gives a block.
pub const MOST: f64 = 0.95;

/// A way to share a target sparsity out over the blocks of a model.
pub trait Allocation: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// Whether it looks at what the dense model makes of the calibration data.
    fn needs_calibration(&self) -> bool {
        false
    }

    /// Whether it prunes the model to compare candidates on held-out data.
    fn needs_held_out(&self) -> bool {
        false
    }

    /// Copies of a block's linears that it holds at one time.
    fn blocks(&self) -> u64 {
        0
    }

    /// What it takes in memory of one linear.
    fn room(&self) -> Room {
        Room::default()
    }

    /// The share of zeros of every block, in `[0, MOST]`. Their mean, weighted by the weights of
    /// each block that will be pruned, is `target` (at most [`MOST`] but for `uniform`).
    ///
    /// # Errors
    /// When the model cannot be read or run.
    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>>;
}

/// The dense model, and what of it will be pruned.
pub struct Dense<'a> {
    /// The model.
    pub model: &'a Model,
    /// The calibration data; there for an allocation that needs it.
    pub calibration: Option<&'a CalibrationSet>,
    /// Which linears will be pruned.
    pub plan: &'a Plan,
    /// Prunings that are made to be compared.
    pub(crate) trials: &'a Trials<'a>,
    /// What is told of progress.
    pub observer: &'a dyn Observer,
}

impl Dense<'_> {
    /// The linears of a block that will be pruned, with the index of their stage.
    pub fn linears(&self, block: usize) -> impl Iterator<Item = (usize, &LinearSpec)> {
        let stages = self.model.spec().blocks[block].stages.iter().enumerate();
        let linears =
            stages.flat_map(|(index, stage)| stage.linears.iter().map(move |l| (index, l)));
        let targets = self.plan.blocks[block].iter().flatten();
        linears.zip(targets).filter(|(_, target)| target.is_some()).map(|(linear, _)| linear)
    }

    /// How many weights of each block will be pruned.
    pub fn weights(&self) -> Vec<f64> {
        let weights = |block| self.linears(block).map(|(_, l)| (l.outputs * l.inputs) as f64).sum();
        (0..self.plan.blocks.len()).map(weights).collect()
    }
}

/// Every allocation, in the order they are listed to users.
pub const ALLOCATIONS: &[&dyn Allocation] =
    &[&uniform::Uniform, &owl::Owl, &alpha::Alpha, &depth::Depth, &error::OutputError, &auto::Auto];

/// The allocation called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Allocation> {
    ALLOCATIONS.iter().copied().find(|allocation| allocation.name() == name).ok_or_else(|| {
        Error::Unknown {
            kind: "allocation",
            name: name.into(),
            known: ALLOCATIONS.iter().map(|a| a.name()).collect::<Vec<_>>().join(", "),
        }
    })
}
