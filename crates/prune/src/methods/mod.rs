//! Pruning methods: one file each.
//!
//! To add a method, write its file and add its line to [`METHODS`].

mod admm;
mod alps;
mod damping;
mod dsnot;
mod magnitude;
mod ria;
mod sparsegpt;
mod wanda;

use compute::Matrix;

use crate::{Error, InputStatistics, Mask, Needs, Pattern, Result, Scope};

/// A way to choose the weights that go, and to change those that stay.
pub trait Method: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// What it has to know of the inputs.
    fn needs(&self) -> Needs;

    /// Which weights it compares with one another unless told otherwise.
    fn default_scope(&self) -> Scope;

    /// What it takes in memory beside the statistics, the dense and the pruned weights.
    fn room(&self) -> Room {
        Room::default()
    }

    /// Prepares what the linears of a site share: they see the same inputs.
    ///
    /// # Errors
    /// When the statistics do not serve.
    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>>;
}

/// A method that has seen the inputs of a site.
pub trait Prepared {
    /// What a reader should know of the preparation, such as damping that had to be raised.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Prunes one linear of the site; `dense`: `[out, in]`.
    ///
    /// # Errors
    /// When the weights or the pattern do not serve.
    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear>;
}

/// Memory that a step takes beside the statistics, the dense and the pruned weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Matrices of f32, `[in, in]`, at one time.
    pub site_matrices: u64,
    /// Matrices of f32, `[out, in]`, at one time.
    pub linear_matrices: u64,
}

impl Room {
    /// Enough for either of two steps that run after each other; what the linears of a site share
    /// stays while both run.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            site_matrices: self.site_matrices + other.site_matrices,
            linear_matrices: self.linear_matrices.max(other.linear_matrices),
        }
    }
}

/// What a linear is pruned to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// How the zeros are arranged.
    pub pattern: Pattern,
    /// Which weights are compared.
    pub scope: Scope,
}

/// A pruned linear.
#[derive(Clone, Debug)]
pub struct PrunedLinear {
    /// The weights that were removed.
    pub mask: Mask,
    /// The weights, `[out, in]`, zero where the mask removes.
    pub weights: Matrix,
}

/// Every method, in the order they are listed to users.
pub const METHODS: &[&dyn Method] = &[
    &wanda::Wanda,
    &ria::Ria,
    &dsnot::Dsnot,
    &sparsegpt::SparseGpt,
    &admm::Admm,
    &alps::Alps,
    &magnitude::Magnitude,
];

/// The method called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Method> {
    METHODS.iter().copied().find(|method| method.name() == name).ok_or_else(|| Error::Unknown {
        kind: "method",
        name: name.into(),
        known: METHODS.iter().map(|method| method.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Removes the weights with the smallest scores and leaves the others as they are.
fn remove_smallest(dense: &Matrix, scores: &Matrix, target: Target) -> PrunedLinear {
    remove(dense, Mask::of_smallest(scores, target.pattern, target.scope))
}

/// Removes what `mask` says and leaves the others as they are.
fn remove(dense: &Matrix, mask: Mask) -> PrunedLinear {
    let mut weights = dense.clone();
    mask.apply(&mut weights);
    PrunedLinear { mask, weights }
}
