//! What is done to the weights.

use clap::Args;
use prune::{Pattern, Propagation, Recipe, Scope};

use super::choices;

/// What is done to the weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pruning")]
pub(crate) struct PruningOptions {
    /// How the weights that go are chosen; `secateur list methods` describes them
    #[arg(long, value_parser = choices::methods(), default_value_t = Recipe::default().method)]
    pub(crate) method: String,

    /// The share of zeros: 0.5, 50%, or N:M such as 2:4 (N of every M inputs are kept)
    #[arg(long, value_name = "SPARSITY", default_value_t = Recipe::default().sparsity)]
    pub(crate) sparsity: Pattern,

    /// What exchanges kept weights for removed ones after the method; `secateur list refinements`
    /// describes them
    #[arg(long, value_name = "REFINEMENT", value_parser = choices::refinements())]
    pub(crate) refine: Option<String>,

    /// Choose the kept weights anew so that the outputs stay as close as they can: least squares on
    /// the calibration data, after any method
    #[arg(long)]
    pub(crate) refit: bool,

    /// Which weights compete: those of each output row, or all of a layer; the method's own choice
    /// unless given
    #[arg(long, value_parser = choices::scopes())]
    pub(crate) scope: Option<Scope>,

    /// How the sparsity is shared out over the blocks
    #[arg(
        long,
        value_parser = choices::allocations(),
        default_value_t = Recipe::default().allocation,
    )]
    pub(crate) allocation: String,

    /// Let the allocation give blocks different N of an N:M pattern
    #[arg(long)]
    pub(crate) mixed_nm: bool,

    /// Which activations are measured: after the pruning of what comes before (staged), or of dense
    /// blocks as in published code (reference)
    #[arg(
        long,
        value_parser = choices::propagations(),
        default_value_t = Recipe::default().propagation,
    )]
    pub(crate) propagation: Propagation,

    /// Leave blocks or linears alone: `0`, `0-2`, `down_proj`, `model.layers.3.*`; may be given
    /// several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) skip: Vec<String>,
}

impl PruningOptions {
    /// The library's recipe.
    pub(crate) fn recipe(&self) -> Recipe {
        Recipe {
            method: self.method.clone(),
            sparsity: self.sparsity,
            refine: self.refine.clone(),
            refit: self.refit,
            scope: self.scope,
            allocation: self.allocation.clone(),
            mixed_nm: self.mixed_nm,
            propagation: self.propagation,
            skip: self.skip.clone(),
        }
    }
}
