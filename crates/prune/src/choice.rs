//! The method `auto`: one of the registered methods, chosen by rule.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Pattern, Result};

/// The name users give for a method that is chosen by rule.
pub const AUTO: &str = "auto";

/// What it is, in one line.
pub const SUMMARY: &str =
    "one of the others with or without refit, by pattern, sparsity and --budget";

/// What it does, when to use it, its parameters, cost and reference.
pub const EXPLANATION: &str = "\
What it does
  Takes a method, and least squares on the kept weights or not, by the pattern and the time there
  is. The run says what was taken and why; the record holds the method that was taken.

When to use it
  Where you would have to look the tables up.

Parameters
  --budget fast: as good as one pass over the calibration data allows: wanda.
  --budget balanced (default): about twice that time: ria with refit; for N:M patterns sparsegpt
  with refit; below 20 % wanda, which then loses next to nothing.
  --budget best: the best there is, several times that time: alps.
  The allocation is depth unless the pattern is N:M or --allocation names another.
  --refit, --refine and --scope are free as with any method.

Cost
  That of the method it takes.

Reference
  What every method loses with and without refit, on the model in the box and on SmolLM2-135M:
  `secateur study bench/studies/methods-demo.toml` and `methods-smollm2.toml`, in BENCHMARKS.md.";

/// How much time a method may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// About that of the pass over the calibration data.
    Fast,
    /// About twice that.
    #[default]
    Balanced,
    /// As much as it takes.
    Best,
}

/// A method that was chosen by rule, whether the kept weights are refitted after it, and how the sparsity
/// is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The method's registered name.
    pub method: &'static str,
    /// Whether least squares on the kept weights follow.
    pub refit: bool,
    /// The allocation's registered name.
    pub allocation: &'static str,
    /// Why, in a sentence that goes on after the name of the method.
    pub reason: &'static str,
}

/// Sparsity below which nothing that takes longer than Wanda is worth its time.
const LITTLE: f64 = 0.2;

/// The method for a pattern and a budget: the rule behind `auto`, all of it.
///
/// In nats a token: divergence from the dense model for the 1.4 M-parameter model in the box (three
/// seeds), growth of the loss on C4 for SmolLM2-135M-Instruct (one draw of 32 × 1024 tokens of other
/// C4 documents), both in BENCHMARKS.md:
///
/// | | box, 60 % | box, 2:4 | SmolLM2, 60 % | SmolLM2, 2:4 |
/// |---|---|---|---|---|
/// | wanda | .886 | 1.085 | 1.755 | 1.950 |
/// | ria, refit | .525 | .566 | 1.185 | 1.189 |
/// | wanda, refit | .547 | .587 | 1.186 | 1.209 |
/// | sparsegpt, refit | .559 | .534 | 1.228 | 1.200 |
/// | admm | .448 | .519 | 1.032 | 1.103 |
/// | alps | .417 | .478 | .972 | 1.013 |
/// | ria, refit, depth | .518 | | 1.027 | |
/// | alps, refit, depth | .420 | | .861 | |
pub fn choose(pattern: Pattern, budget: Budget) -> Choice {
    let allocation = if matches!(pattern, Pattern::NofM { .. }) { "uniform" } else { "depth" };
    let choice = |method, refit, reason| Choice { method, refit, allocation, reason };
    match (budget, pattern) {
        (Budget::Fast, _) => {
            choice("wanda", false, "needs no more than one pass over the calibration data")
        }
        (Budget::Best, _) => {
            choice("alps", false, "loses least at every sparsity and pattern that was measured")
        }
        (Budget::Balanced, Pattern::Fraction { sparsity }) if sparsity < LITTLE => {
            choice("wanda", false, "loses next to nothing below 20 %")
        }
        (Budget::Balanced, Pattern::Fraction { .. }) => choice(
            "ria",
            true,
            "loses least of all that take about twice the time of the calibration pass",
        ),
        (Budget::Balanced, Pattern::NofM { .. }) => choice(
            "sparsegpt",
            true,
            "loses least at N:M of all that take about twice the time of the calibration pass",
        ),
    }
}

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fast" => Ok(Budget::Fast),
            "balanced" => Ok(Budget::Balanced),
            "best" => Ok(Budget::Best),
            _ => Err(Error::Unknown {
                kind: "budget",
                name: text.into(),
                known: "fast, balanced, best".into(),
            }),
        }
    }
}

/// As users read it: `ria + refit by depth: it loses least …`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refit = if self.refit { " + refit" } else { "" };
        let by_depth = if self.allocation == "depth" { " by depth" } else { "" };
        write!(f, "{}{refit}{by_depth}: it ", self.method)?;
        f.write_str(self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recipe, allocations, methods};

    #[test]
    fn every_choice_is_a_method_within_its_budget() {
        let patterns = ["0", "0.1", "0.2", "0.5", "0.95", "0.999", "2:4", "4:8", "1:16"];
        for pattern in patterns.map(|text| text.parse().unwrap()) {
            for budget in [Budget::Fast, Budget::Balanced, Budget::Best] {
                let choice = choose(pattern, budget);
                assert!(methods::find(choice.method).is_ok(), "{choice}");
                assert!(allocations::find(choice.allocation).is_ok(), "{choice}");
                let (method, refit) = (choice.method.to_owned(), choice.refit);
                let needs = Recipe { method, refit, ..Recipe::default() }.steps().unwrap().needs();
                assert!(budget != Budget::Fast || !needs.gram, "{choice}");
            }
        }
    }

    #[test]
    fn the_rule_looks_at_sparsity_pattern_and_budget() {
        let at = |pattern: &str, budget| choose(pattern.parse().unwrap(), budget).to_string();
        assert!(at("0.5", Budget::Fast).starts_with("wanda by depth: "));
        assert!(at("0.19", Budget::Balanced).starts_with("wanda by depth: "));
        assert!(at("0.2", Budget::Balanced).starts_with("ria + refit by depth: "));
        assert!(at("2:4", Budget::Balanced).starts_with("sparsegpt + refit: "));
        assert!(at("2:4", Budget::Best).starts_with("alps: "));
        assert_eq!("best".parse::<Budget>().unwrap(), Budget::Best);
        assert!("most".parse::<Budget>().unwrap_err().to_string().contains("balanced"));
    }
}
