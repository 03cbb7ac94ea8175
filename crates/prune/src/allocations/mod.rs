//! Allocations: how much each block gives up. One file each.
//!
//! To add an allocation, write its file and add its line to [`ALLOCATIONS`].

mod uniform;

use crate::{Error, Pattern, Result};

/// A way to share a target sparsity out over the blocks of a model.
pub trait Allocation: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// The pattern of every block; `blocks` is their number. The parameter-weighted mean of their
    /// sparsities is the target's.
    ///
    /// # Errors
    /// When the target cannot be shared out this way.
    fn allocate(&self, blocks: usize, target: Pattern) -> Result<Vec<Pattern>>;
}

/// Every allocation, in the order they are listed to users.
pub const ALLOCATIONS: &[&dyn Allocation] = &[&uniform::Uniform];

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
