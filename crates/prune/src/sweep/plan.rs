//! What a run will do to every linear, known before anything is read.

use lm::Model;

use crate::methods::Target;
use crate::{Needs, Recipe, Result, Skip, allocations};

/// The target of every linear of every block.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the recipe's steps have to know of the inputs.
    pub needs: Needs,
    /// Block by block, stage by stage, linear by linear: the target, or nothing where the linear
    /// is left alone.
    pub blocks: Vec<Vec<Vec<Option<Target>>>>,
}

impl Plan {
    /// Resolves a recipe against a model.
    ///
    /// # Errors
    /// When a name is unknown, a `--skip` pattern names nothing, or the pattern does not divide the
    /// inputs of a linear.
    pub fn new(model: &Model, recipe: &Recipe) -> Result<Self> {
        let spec = model.spec();
        let scope = recipe.scope.unwrap_or(recipe.method()?.default_scope());
        let skip = Skip::new(&recipe.skip, spec)?;
        let allocation = allocations::find(&recipe.allocation)?;
        let patterns = allocation.allocate(spec.blocks.len(), recipe.sparsity)?;
        let mut blocks = Vec::with_capacity(spec.blocks.len());
        for (index, (block, pattern)) in spec.blocks.iter().zip(patterns).enumerate() {
            let target = |linear: &lm::LinearSpec| {
                if skip.skips(index, linear) {
                    return Ok(None);
                }
                pattern.check(&linear.tensor, linear.inputs)?;
                Ok(Some(Target { pattern, scope }))
            };
            let stage = |stage: &lm::Stage| stage.linears.iter().map(target).collect();
            blocks.push(block.stages.iter().map(stage).collect::<Result<_>>()?);
        }
        Ok(Self { needs: recipe.steps()?.needs(), blocks })
    }

    /// Number of linears that will be pruned.
    pub fn pruned_linears(&self) -> usize {
        self.blocks.iter().flatten().flatten().flatten().count()
    }
}
