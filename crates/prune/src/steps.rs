//! What a recipe does to a linear, step after step.

use compute::Matrix;

use crate::methods::{self, Method, Prepared, PrunedLinear, Room, Target};
use crate::refinements::{self, Exchange, Refinement};
use crate::refit::Refit;
use crate::{InputStatistics, Needs, Recipe, Result};

/// A method, a refinement of its mask, and least squares on what is kept; the last two where a recipe
/// asks for them.
#[derive(Clone, Copy)]
pub struct Steps {
    method: &'static dyn Method,
    refinement: Option<&'static dyn Refinement>,
    refit: bool,
}

/// [`Steps`] that have seen the inputs of a site.
pub struct PreparedSteps<'a> {
    method: Box<dyn Prepared + 'a>,
    exchange: Option<Box<dyn Exchange + 'a>>,
    refit: Option<Refit>,
}

impl Steps {
    /// The steps of a recipe.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] when it names a method or a refinement that does not exist.
    pub fn of(recipe: &Recipe) -> Result<Self> {
        let refinement = recipe.refine.as_deref().map(refinements::find).transpose()?;
        Ok(Self { method: methods::find(&recipe.method)?, refinement, refit: recipe.refit })
    }

    /// What they have to know of the inputs.
    pub fn needs(&self) -> Needs {
        let refinement = self.refinement.map_or(Needs::NOTHING, |refinement| refinement.needs());
        let refit = if self.refit { Needs::GRAM } else { Needs::NOTHING };
        self.method.needs().and(refinement).and(refit)
    }

    /// What they take in memory beside the statistics, the dense and the pruned weights.
    pub fn room(&self) -> Room {
        let refinement = self.refinement.map_or(Room::default(), |refinement| refinement.room());
        let refit = if self.refit { Refit::ROOM } else { Room::default() };
        self.method.room().and(refinement).and(refit)
    }

    /// Prepares what the linears of a site share.
    ///
    /// # Errors
    /// When the statistics do not serve one of the steps.
    pub fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<PreparedSteps<'a>> {
        Ok(PreparedSteps {
            method: self.method.prepare(inputs)?,
            exchange: self.refinement.map(|refinement| refinement.prepare(inputs)).transpose()?,
            refit: self.refit.then(|| Refit::prepare(inputs)).transpose()?,
        })
    }
}

/// As users read them: `wanda + swaps + refit`.
impl std::fmt::Display for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method.name())?;
        if let Some(refinement) = self.refinement {
            write!(f, " + {}", refinement.name())?;
        }
        f.write_str(if self.refit { " + refit" } else { "" })
    }
}

impl Prepared for PreparedSteps<'_> {
    fn notes(&self) -> Vec<String> {
        self.method.notes()
    }

    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let mut pruned = self.method.prune(dense, target)?;
        if let Some(exchange) = &self.exchange {
            pruned = exchange.refine(dense, pruned, target)?;
        }
        Ok(match &self.refit {
            Some(refit) => refit.refit(dense, pruned),
            None => pruned,
        })
    }
}
