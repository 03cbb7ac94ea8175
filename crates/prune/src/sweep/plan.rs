//! What a run will do to every linear.

use calib::CalibrationSet;
use lm::{Model, Observer};

use super::trial::Trials;
use crate::allocations::{self, Allocation, Dense, MOST};
use crate::methods::Target;
use crate::{Error, Needs, Pattern, Recipe, Result, Skip, TokenWeights};

/// What a run will do to every linear, known before anything is read but for what an allocation
/// measures.
#[derive(Clone)]
pub struct Plan {
    /// What the recipe's steps have to know of the inputs.
    pub needs: Needs,
    /// Block by block, stage by stage, linear by linear: the target, or nothing where the linear
    /// is left alone. Until the allocation has shared it out every block has the recipe's own.
    pub blocks: Vec<Vec<Vec<Option<Target>>>>,
    allocation: &'static dyn Allocation,
    sparsity: Pattern,
}

impl Plan {
    /// Resolves a recipe against a model.
    ///
    /// # Errors
    /// When a name is unknown, a `--skip` pattern names nothing, the pattern does not divide the
    /// inputs of a linear, or the allocation cannot share it out.
    pub fn new(model: &Model, recipe: &Recipe) -> Result<Self> {
        let spec = model.spec();
        let scope = recipe.scope.unwrap_or(recipe.method()?.default_scope());
        let skip = Skip::new(&recipe.skip, spec)?;
        let (allocation, pattern) = (allocations::find(&recipe.allocation)?, recipe.sparsity);
        let needs = recipe.steps()?.needs();
        check(recipe)?;
        check_token_weights(recipe.token_weights, needs)?;
        let mut blocks = Vec::with_capacity(spec.blocks.len());
        for (index, block) in spec.blocks.iter().enumerate() {
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
        Ok(Self { needs, blocks, allocation, sparsity: pattern })
    }

    /// Number of linears that will be pruned.
    pub fn pruned_linears(&self) -> usize {
        self.blocks.iter().flatten().flatten().flatten().count()
    }

    /// Shares the sparsity out over the blocks; some allocations run the dense model for it.
    pub(super) fn share_out(
        &mut self,
        model: &Model,
        calibration: Option<&CalibrationSet>,
        trials: &Trials<'_>,
        observer: &dyn Observer,
    ) -> Result<()> {
        if self.pruned_linears() == 0 || is_uniform(self.allocation.name()) {
            return Ok(());
        }
        let dense = Dense { model, calibration, plan: self, trials, observer };
        let weights = dense.weights();
        let shares = self.allocation.allocate(&dense, self.sparsity.sparsity())?;
        let patterns = patterns(self.sparsity, &shares, &weights);
        for (block, pattern) in self.blocks.iter_mut().zip(patterns) {
            let targets = block.iter_mut().flatten().flatten();
            targets.for_each(|target| target.pattern = pattern);
        }
        Ok(())
    }
}

pub(super) fn is_uniform(allocation: &str) -> bool {
    allocation == Recipe::default().allocation
}

/// Refuses token weights where nothing is measured that they could count in.
fn check_token_weights(weights: TokenWeights, needs: Needs) -> Result<()> {
    match weights == TokenWeights::Uniform || needs != Needs::NOTHING {
        true => Ok(()),
        false => Err(Error::TokenWeights {
            weights: weights.to_string(),
            problem: "the method looks at weights alone, and no token counts; leave them out, add \
                      --refit, or choose another method"
                .into(),
        }),
    }
}

/// Refuses what an allocation cannot share out.
fn check(recipe: &Recipe) -> Result<()> {
    let refuse =
        |problem: String| Err(Error::Allocation { allocation: recipe.allocation.clone(), problem });
    let (pattern, uniform) = (recipe.sparsity, is_uniform(&recipe.allocation));
    let width = match pattern {
        Pattern::NofM { of, .. } => Some(of),
        Pattern::Fraction { .. } => None,
    };
    match width {
        _ if recipe.mixed_nm && (uniform || width.is_none()) => {
            refuse("--mixed-nm is for N:M patterns and an allocation other than uniform".into())
        }
        _ if uniform => Ok(()),
        _ if pattern.sparsity() > MOST => {
            refuse(format!("above {MOST} only uniform serves, {pattern} is asked for"))
        }
        Some(2) => refuse("1:2 is the only pattern of 2, and nothing can be shared out".into()),
        Some(of) if !recipe.mixed_nm => refuse(format!(
            "with {pattern} the blocks would have different N of {of}; allow it with --mixed-nm, or \
             use uniform"
        )),
        _ => Ok(()),
    }
}

/// The pattern of every block. N of M is rounded so that, block after block, the weights kept are as
/// near as they can be to what the shares ask for.
fn patterns(sparsity: Pattern, shares: &[f64], weights: &[f64]) -> Vec<Pattern> {
    let Pattern::NofM { of, .. } = sparsity else {
        return shares.iter().map(|share| Pattern::Fraction { sparsity: *share }).collect();
    };
    let mut owed = 0.0;
    let mut rounded = |(share, weights): (&f64, &f64)| {
        let wanted = (1.0 - share) * of as f64;
        let even = if *weights > 0.0 { owed / weights } else { 0.0 };
        let keep = (wanted + even).round().clamp(1.0, (of - 1) as f64);
        owed += (wanted - keep) * weights;
        Pattern::NofM { keep: keep as usize, of }
    };
    shares.iter().zip(weights).map(&mut rounded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_patterns_keep_what_the_shares_keep() {
        let sparsity = Pattern::NofM { keep: 4, of: 8 };
        let shares = [0.40, 0.45, 0.48, 0.52, 0.55, 0.60];
        let found = patterns(sparsity, &shares, &[3.0; 6]);
        let mean = found.iter().map(Pattern::sparsity).sum::<f64>() / 6.0;
        assert!((mean - 0.5).abs() <= 0.5 / 8.0 / 6.0 + 1e-9, "{found:?}");
        assert!(found.iter().all(|pattern| pattern.to_string().parse::<Pattern>().is_ok()));
        assert!(found[0].sparsity() < found[5].sparsity());
    }
}
