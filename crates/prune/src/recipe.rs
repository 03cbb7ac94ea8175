//! What a pruning run does.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::allocations;
use crate::methods::{self, Method};
use crate::{Error, Needs, Pattern, Result, Scope, Steps, TokenWeights};

/// What a pruning run does to the weights: one value per independent choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// The method, by its registered name.
    pub method: String,
    /// The target of every linear.
    pub sparsity: Pattern,
    /// What exchanges weights of the method's mask, by its registered name; nothing unless given.
    pub refine: Option<String>,
    /// Whether the kept weights are chosen anew by least squares on the calibration data.
    pub refit: bool,
    /// Which weights are compared; the method's own default where none is given.
    pub scope: Option<Scope>,
    /// How the sparsity is shared out over the blocks, by its registered name.
    pub allocation: String,
    /// Whether an allocation may give the blocks different N of an N:M pattern.
    pub mixed_nm: bool,
    /// Which activations the statistics are taken of.
    pub propagation: Propagation,
    /// How much each calibration token counts in the statistics of the steps.
    pub token_weights: TokenWeights,
    /// Blocks and linears that are left alone ([`crate::Skip`]).
    pub skip: Vec<String>,
}

/// Which activations a linear's statistics are taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    /// One pass per block: every linear sees what the already pruned linears before it give.
    #[default]
    Staged,
    /// Two passes per block, as in published code: statistics of the block's dense linears, then a
    /// second pass with the pruned ones for the next block.
    Reference,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            method: "wanda".into(),
            sparsity: Pattern::Fraction { sparsity: 0.5 },
            refine: None,
            refit: false,
            scope: None,
            allocation: "uniform".into(),
            mixed_nm: false,
            propagation: Propagation::Staged,
            token_weights: TokenWeights::Uniform,
            skip: Vec::new(),
        }
    }
}

impl Recipe {
    /// The method it names.
    ///
    /// # Errors
    /// When there is no such method.
    pub fn method(&self) -> Result<&'static dyn Method> {
        methods::find(&self.method)
    }

    /// What it does to each linear.
    ///
    /// # Errors
    /// When there is no such method or refinement.
    pub fn steps(&self) -> Result<Steps> {
        Steps::of(self)
    }

    /// Whether its steps or its allocation look at calibration data.
    ///
    /// # Errors
    /// When there is no such method, refinement or allocation.
    pub fn needs_calibration(&self) -> Result<bool> {
        let allocation = allocations::find(&self.allocation)?;
        Ok(self.steps()?.needs() != Needs::NOTHING || allocation.needs_calibration())
    }

    /// Whether its allocation compares candidates on held-out data.
    ///
    /// # Errors
    /// When there is no such allocation.
    pub fn needs_held_out(&self) -> Result<bool> {
        Ok(allocations::find(&self.allocation)?.needs_held_out())
    }
}

impl FromStr for Propagation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "staged" => Ok(Propagation::Staged),
            "reference" => Ok(Propagation::Reference),
            _ => Err(Error::Unknown {
                kind: "propagation",
                name: text.into(),
                known: "staged, reference".into(),
            }),
        }
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Propagation::Staged => "staged",
            Propagation::Reference => "reference",
        })
    }
}
