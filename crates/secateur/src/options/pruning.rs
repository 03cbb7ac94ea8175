//! What is done to the weights.

use clap::Args;
use prune::choice::{self, Budget, Choice};
use prune::{Pattern, Propagation, Recipe, Scope, TokenWeights, allocations};

use super::choices;
use crate::failure::BadInput;

/// What is done to the weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pruning")]
pub(crate) struct PruningOptions {
    /// How the weights that go are chosen; `secateur list methods` describes them, auto takes one of
    /// them by sparsity and --budget
    #[arg(long, value_parser = choices::methods(), default_value = choice::AUTO)]
    pub(crate) method: String,

    /// How much time --method auto may take; balanced unless given
    #[arg(long, value_parser = choices::budgets())]
    pub(crate) budget: Option<Budget>,

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

    /// How the sparsity is shared out over the blocks: uniform unless given, with --method auto depth
    /// unless the pattern is N:M
    #[arg(long, value_parser = choices::allocations())]
    pub(crate) allocation: Option<String>,

    /// What the allocation auto compares on, named as --calibration names its data; the calibration
    /// data's own source, drawn with another seed, unless given
    #[arg(long, value_name = "SOURCE")]
    pub(crate) auto_data: Option<String>,

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

    /// How much each calibration token counts: all alike (uniform), only the first N of each sequence
    /// (first:N), or by the attention it receives, the least at R of the largest (attention, which is
    /// attention:0.1)
    #[arg(
        long,
        value_name = "uniform|first:N|attention[:R]",
        default_value_t = Recipe::default().token_weights,
    )]
    pub(crate) token_weights: TokenWeights,

    /// Leave blocks or linears alone: `0`, `0-2`, `down_proj`, `model.layers.3.*`; may be given
    /// several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) skip: Vec<String>,
}

impl PruningOptions {
    /// The library's recipe where no option says anything.
    pub(crate) fn unasked() -> Recipe {
        let recipe = Recipe::default();
        let choice = choice::choose(recipe.sparsity, Budget::default());
        let Choice { method, refit, allocation, .. } = choice;
        Recipe { method: method.into(), refit, allocation: allocation.into(), ..recipe }
    }

    /// What was chosen by rule, where the rule was asked; an allocation that is named stands.
    ///
    /// # Errors
    /// When there is a budget and no rule to give it to.
    pub(crate) fn choice(&self) -> Result<Option<Choice>, BadInput> {
        match self.budget {
            budget if self.method == choice::AUTO => {
                let mut choice = choice::choose(self.sparsity, budget.unwrap_or_default());
                let named = self.allocation.as_deref();
                if let Some(named) = named.and_then(|name| allocations::find(name).ok()) {
                    choice.allocation = named.name();
                }
                Ok(Some(choice))
            }
            Some(_) => {
                let problem =
                    format!("--budget is for --method auto, {} is asked for", self.method);
                Err(BadInput::new(problem).hint("leave out one of the two"))
            }
            None => Ok(None),
        }
    }

    /// The library's recipe.
    ///
    /// # Errors
    /// As [`PruningOptions::choice`].
    pub(crate) fn recipe(&self) -> Result<Recipe, BadInput> {
        let choice = self.choice()?;
        Ok(Recipe {
            method: choice.map_or_else(|| self.method.clone(), |choice| choice.method.into()),
            sparsity: self.sparsity,
            refine: self.refine.clone(),
            refit: self.refit || choice.is_some_and(|choice| choice.refit),
            scope: self.scope,
            allocation: match choice {
                Some(choice) => choice.allocation.into(),
                None => self.allocation.clone().unwrap_or_else(|| Recipe::default().allocation),
            },
            mixed_nm: self.mixed_nm,
            propagation: self.propagation,
            token_weights: self.token_weights,
            skip: self.skip.clone(),
        })
    }
}
