//! The measured damage: the model pruned with a draw, and compared with the dense one.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use calib::CalibrationSet;
use calib::judging::Exhibit;
use lm::{Checkpoint, Model, Observer, scoring};
use prune::{Job, Recipe};
use tempfile::TempDir;

use super::found::Found;
use super::prepared::Prepared;
use crate::failure::BadInput;
use crate::options::{DAMAGE, LOSS, PruningOptions, RankOptions};

/// What is done to the model with every draw.
pub(super) struct Pruning {
    recipe: Recipe,
    /// Blocks that are pruned, where not all are.
    blocks: Option<u32>,
    scratch: Option<PathBuf>,
}

impl Pruning {
    /// What the options ask for; nothing where they do not ask for pruning.
    ///
    /// # Errors
    /// When options of pruning are given without it, the method has no use for calibration data, or the
    /// recipe does not fit the model.
    pub(super) fn read(options: &RankOptions, model: &Model) -> anyhow::Result<Option<Self>> {
        let (judging, recipe) = (&options.judging, options.pruning.recipe()?);
        if !judging.prune {
            let idle = [
                ("an option of pruning", recipe != PruningOptions::unasked()),
                ("--auto-data", options.pruning.auto_data.is_some()),
                ("--prune-blocks", judging.prune_blocks.is_some()),
                ("--scratch", judging.scratch.is_some()),
            ];
            return match idle.into_iter().find(|(_, given)| *given) {
                None => Ok(None),
                Some((what, _)) => {
                    let problem = format!("{what} is given, and nothing is pruned");
                    Err(BadInput::new(problem).hint("add --prune").into())
                }
            };
        }
        if recipe.needs_held_out()? || options.pruning.auto_data.is_some() {
            let problem = "candidates are set side by side under one allocation, and auto chooses anew for each";
            return Err(BadInput::new(problem).hint("name the --allocation").into());
        }
        if !recipe.needs_calibration()? {
            let problem = format!(
                "{} uses no calibration data: every candidate would prune alike",
                recipe.steps()?
            );
            return Err(BadInput::new(problem).hint("choose another --method").into());
        }
        let recipe = match judging.prune_blocks {
            None => recipe,
            Some(count) => some_blocks(recipe, count as usize, model.spec().blocks.len())?,
        };
        prune::Plan::new(model, &recipe)?;
        let (blocks, scratch) = (judging.prune_blocks, judging.scratch.clone());
        Ok(Some(Self { recipe, blocks, scratch }))
    }

    /// What is done, in words.
    pub(super) fn describe(&self) -> String {
        let Recipe { method, sparsity, .. } = &self.recipe;
        match self.blocks {
            None => format!("pruned by {method} to {sparsity}"),
            Some(count) => format!("{count} blocks pruned by {method} to {sparsity}"),
        }
    }

    /// Prunes with `set` and adds the damage on every yardstick.
    ///
    /// # Errors
    /// When the model cannot be pruned or measured, or the user stopped it.
    pub(super) fn measure(
        &self,
        prepared: &Prepared,
        set: &CalibrationSet,
        (yardsticks, names): (&[Exhibit], &[String]),
        found: &mut Found,
        observer: &dyn Observer,
    ) -> anyhow::Result<()> {
        let scratch = self.scratch()?;
        let output = scratch.path().join("pruned");
        let dense = &prepared.model;
        let job =
            Job { memory: prepared.memory, ..Job::new(dense, Some(set), &self.recipe, &output) };
        prune::prune(&job, observer)?;
        let pruned = Model::new(Checkpoint::open(&output)?, dense.precision())?;
        let options =
            scoring::Options { streamed: prepared.memory.is_some(), memory: prepared.memory };
        let (mut damage, mut loss) = (Vec::new(), Vec::new());
        for yardstick in yardsticks {
            let sequences: Vec<&[u32]> = yardstick.sequences.iter().map(Vec::as_slice).collect();
            let result = eval::divergence(dense, &pruned, &sequences, &options, observer);
            let result = result.context("the damage cannot be measured")?;
            damage.push(result.mean_kl);
            loss.push(result.perplexity.ln() - result.reference_perplexity.ln());
        }
        found.push_each(DAMAGE, names, &damage);
        found.push_each(LOSS, names, &loss);
        Ok(())
    }

    /// A folder that goes when it is dropped.
    fn scratch(&self) -> anyhow::Result<TempDir> {
        let Some(folder) = &self.scratch else {
            return TempDir::new().context("no temporary folder can be made");
        };
        fs::create_dir_all(folder).map_err(lm::Error::io(folder))?;
        let made = TempDir::new_in(folder);
        made.with_context(|| format!("--scratch {}: nothing can be written", folder.display()))
    }
}

/// The recipe for `count` of `blocks` blocks, spread over the depth.
fn some_blocks(recipe: Recipe, count: usize, blocks: usize) -> Result<Recipe, BadInput> {
    if count > blocks {
        let problem = format!("--prune-blocks {count}: the model has {blocks} blocks");
        return Err(BadInput::new(problem));
    }
    let pruned: Vec<usize> =
        (0..count).map(|place| (2 * place + 1) * blocks / (2 * count)).collect();
    let others = (0..blocks).filter(|block| !pruned.contains(block)).map(|block| block.to_string());
    let mut recipe = recipe;
    recipe.skip.extend(others);
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_that_are_pruned_are_spread_over_the_depth() {
        let left = |count, blocks| some_blocks(Recipe::default(), count, blocks).unwrap().skip;
        assert_eq!(left(1, 5), ["0", "1", "3", "4"]);
        assert_eq!(left(2, 8), ["0", "1", "3", "4", "5", "7"]);
        assert!(left(6, 6).is_empty());
        for (count, blocks) in [(3, 30), (7, 30), (29, 30)] {
            assert_eq!(left(count, blocks).len(), blocks - count);
        }
        assert!(some_blocks(Recipe::default(), 7, 6).is_err());
    }
}
