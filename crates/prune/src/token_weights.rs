//! How much each calibration token counts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The smallest weight by attention, relative to the largest, unless another is given.
const LEAST: f64 = 0.1;

/// A kind of token weights, as users read it.
pub struct Kind {
    /// The name users give, before the colon.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What it does, when to use it, its parameters, cost and reference.
    pub explanation: &'static str,
}

/// Every kind of token weights, in the order they are listed to users.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "uniform",
        summary: "all calibration tokens count alike",
        explanation: "\
What it does
  Statistics of a linear's input are plain sums over all calibration tokens.

When to use it
  Always, unless you compare; every published figure but RSQ's is made so.

Parameters
  None.

Cost
  None.

Reference
  The setting of Wanda (Sun et al., 2024) and SparseGPT (Frantar and Alistarh, 2023).",
    },
    Kind {
        name: "first",
        summary: "only the first N tokens of every sequence count (first:N)",
        explanation: "\
What it does
  Statistics are sums over the first N tokens of every sequence. The others run, for they cost
  nothing to the first, and are not counted.

When to use it
  As a control: is it the first tokens that calibration lives on?

Parameters
  N, from 1 up; a sequence that is shorter counts as a whole.

Cost
  None; Gram matrices take less time.

Reference
  The baseline of Sung et al., RSQ: Learning from Important Tokens Leads to Better Quantized
  LLMs, 2025.",
    },
    Kind {
        name: "attention",
        summary: "tokens count by the attention they receive in their block (attention:R)",
        explanation: "\
What it does
  A token's weight in the statistics of a block is the attention it receives there, summed over
  heads and queries, mapped linearly to R to 1 within its sequence and divided by the sequence's
  mean. The first token, which attends to nothing else and is attended to for want of anything
  better, is masked: it gets R. Wanda's norms, the sums of DSnoT and the Gram matrix of all
  others are weighted sums; allocations look at all tokens alike.

When to use it
  At high sparsities with Gram-based methods; compare with uniform on held-out text.

Parameters
  R, the smallest weight relative to the largest, 0 to 1; 0.1.

Cost
  An extra pass over each block's dense queries and keys: their two projections and the scores,
  twice, for no matrix of attention is kept. The report says how much that is of a forward pass.
  Weighted inputs are no bf16 numbers, so Gram matrices are summed by f32 kernels.

Reference
  Sung et al., RSQ: Learning from Important Tokens Leads to Better Quantized LLMs, 2025, attention
  concentration.",
    },
];

/// How much each calibration token counts in the statistics of a linear's input: the sums of w·x²,
/// w·x and w·x·xᵀ are over all tokens x of weight w.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TokenWeights {
    /// All tokens count alike.
    #[default]
    Uniform,
    /// The first tokens of every sequence count alike, the others not at all.
    First {
        /// How many of them, at least one.
        tokens: usize,
    },
    /// A token counts by the attention it receives in its block (`by_attention`).
    Attention {
        /// The smallest weight relative to the largest, in `[0, 1]`.
        least: f64,
    },
}

/// The weights of the tokens of one sequence by the attention they `received`, summed over heads and
/// queries: mapped linearly so that the least becomes `least` and the largest 1, then divided by their
/// mean.
///
/// The first token, on which attention that has nowhere to go is spent, is masked: it is left out of
/// the mapping and has the smallest weight. Where the others do not differ all weights are 1; where a
/// value is not finite, all are NaN.
///
/// Sung et al., RSQ: Learning from Important Tokens Leads to Better Quantized LLMs, 2025, attention
/// concentration.
pub(crate) fn by_attention(received: &[f64], least: f64) -> Vec<f32> {
    if received.iter().any(|value| !value.is_finite()) {
        return vec![f32::NAN; received.len()];
    }
    let others = received.get(1..).unwrap_or_default();
    let lowest = others.iter().copied().fold(f64::INFINITY, f64::min);
    let range = others.iter().copied().fold(f64::NEG_INFINITY, f64::max) - lowest;
    if range <= 0.0 || range.is_nan() {
        return vec![1.0; received.len()];
    }
    let place = |value: &f64| least + (1.0 - least) * (value - lowest) / range;
    let weights: Vec<f64> = std::iter::once(least).chain(others.iter().map(place)).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|weight| (weight / mean) as f32).collect()
}

impl FromStr for TokenWeights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, value) = match text.trim().split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text.trim(), None),
        };
        let found = match (name, value) {
            ("uniform", None) => Some(Self::Uniform),
            ("first", Some(tokens)) => match tokens.parse() {
                Ok(tokens) if tokens > 0 => Some(Self::First { tokens }),
                _ => None,
            },
            ("attention", None) => Some(Self::Attention { least: LEAST }),
            ("attention", Some(least)) => {
                let least = least.parse().ok().filter(|least| (0.0..=1.0).contains(least));
                least.map(|least| Self::Attention { least })
            }
            _ => None,
        };
        found.ok_or_else(|| Error::TokenWeights {
            weights: format!("{text:?}"),
            problem: "expected uniform, first:N with N tokens of each sequence, attention, or \
                      attention:R with R the smallest weight, 0 to 1"
                .into(),
        })
    }
}

impl fmt::Display for TokenWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::First { tokens } => write!(f, "first:{tokens}"),
            Self::Attention { least: LEAST } => f.write_str("attention"),
            Self::Attention { least } => write!(f, "attention:{least}"),
        }
    }
}

impl From<TokenWeights> for String {
    fn from(weights: TokenWeights) -> Self {
        weights.to_string()
    }
}

impl TryFrom<String> for TokenWeights {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn they_parse_and_print() {
        for text in ["uniform", "first:1", "first:512", "attention", "attention:0", "attention:0.5"]
        {
            assert_eq!(text.parse::<TokenWeights>().unwrap().to_string(), text);
        }
        assert_eq!("attention:0.1".parse::<TokenWeights>().unwrap().to_string(), "attention");
        for text in ["", "first", "first:0", "first:-1", "attention:2", "attention:NaN", "last:3"] {
            let error = text.parse::<TokenWeights>().unwrap_err().to_string();
            assert!(error.contains("first:N") && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn the_formula_by_hand() {
        // 2 to 6 becomes 0.2 to 1; the first token, however much it receives, gets 0.2
        let weights = by_attention(&[90.0, 2.0, 6.0, 4.0], 0.2);
        let mean = (0.2 + 0.2 + 1.0 + 0.6) / 4.0;
        for (found, expected) in weights.iter().zip([0.2, 0.2, 1.0, 0.6]) {
            assert!((f64::from(*found) - expected / mean).abs() < 1e-6, "{weights:?}");
        }
        assert_eq!(by_attention(&[3.0, 1.0, 1.0], 0.1), [1.0; 3]);
        assert_eq!(by_attention(&[9.0], 0.1), [1.0]);
        assert_eq!(by_attention(&[9.0, 1.0], 0.1), [1.0; 2]);
        assert!(by_attention(&[], 0.1).is_empty());
        assert!(by_attention(&[1.0, f64::NAN, 2.0], 0.1).iter().all(|weight| weight.is_nan()));
    }

    proptest! {
        #[test]
        fn the_mean_is_one_and_the_order_that_of_the_attention(
            received in prop::collection::vec(0.01f64..50.0, 3..40), least in 0.0f64..1.0,
        ) {
            let weights = by_attention(&received, least);
            let mean = weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
            prop_assert!((mean / weights.len() as f64 - 1.0).abs() < 1e-5);
            for (a, b) in (1..weights.len()).zip(2..weights.len()) {
                prop_assert!((received[a] < received[b]) == (weights[a] < weights[b])
                    || weights[a] == weights[b]);
            }
        }
    }
}
