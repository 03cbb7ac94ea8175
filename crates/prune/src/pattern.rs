//! Which positions a mask may take.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the zeros of a linear are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Pattern {
    /// A share of the weights, anywhere within the scope of comparison.
    Fraction {
        /// The share of zeros, in `[0, 1)`.
        sparsity: f64,
    },
    /// `keep` of every `of` consecutive inputs are kept.
    NofM {
        /// Weights kept in a group.
        keep: usize,
        /// Width of a group.
        of: usize,
    },
}

/// The weights that are compared with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each output row gives up the same number of weights.
    Row,
    /// All weights of the linear compete.
    Layer,
}

impl Pattern {
    /// The share of zeros it asks for.
    pub fn sparsity(&self) -> f64 {
        match *self {
            Pattern::Fraction { sparsity } => sparsity,
            Pattern::NofM { keep, of } => 1.0 - keep as f64 / of as f64,
        }
    }

    /// Refuses a linear whose inputs the pattern cannot divide.
    ///
    /// # Errors
    /// [`Error::Pattern`], naming the tensor.
    pub fn check(&self, tensor: &str, inputs: usize) -> Result<()> {
        match *self {
            Pattern::NofM { of, .. } if !inputs.is_multiple_of(of) => Err(Error::Pattern {
                pattern: self.to_string(),
                problem: format!(
                    "{tensor} has {inputs} inputs, which {of} does not divide; skip it with \
                     --skip or choose another pattern"
                ),
            }),
            _ => Ok(()),
        }
    }

    fn invalid(text: &str) -> Error {
        Error::Pattern {
            pattern: format!("{text:?}"),
            problem: "expected a fraction such as 0.5 or 50% (0 or more, below 1), or N:M such \
                      as 2:4 with 0 < N < M"
                .into(),
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Pattern::invalid(text);
        let trimmed = text.trim();
        if let Some((keep, of)) = trimmed.split_once(':') {
            let keep = keep.parse().map_err(|_| invalid())?;
            let of = of.parse().map_err(|_| invalid())?;
            let valid = 0 < keep && keep < of && of <= 1024;
            return if valid { Ok(Pattern::NofM { keep, of }) } else { Err(invalid()) };
        }
        let (number, divisor) = match trimmed.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let sparsity = number.parse::<f64>().map_err(|_| invalid())? / divisor;
        if (0.0..1.0).contains(&sparsity) {
            Ok(Pattern::Fraction { sparsity })
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Fraction { sparsity } => write!(f, "{sparsity}"),
            Pattern::NofM { keep, of } => write!(f, "{keep}:{of}"),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for Pattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_parse_and_print() {
        let half = Pattern::Fraction { sparsity: 0.5 };
        for text in ["0.5", "50%", " 50 %", ".5"] {
            assert_eq!(text.parse::<Pattern>().unwrap(), half, "{text}");
        }
        assert_eq!("2:4".parse::<Pattern>().unwrap(), Pattern::NofM { keep: 2, of: 4 });
        for text in ["0.5", "2:4", "0", "0.333"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn impossible_patterns_are_refused() {
        for text in ["1", "100%", "-0.1", "NaN", "inf", "4:2", "0:4", "4:4", "2:", "half", ""] {
            let error = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains("2:4") && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_pattern_that_does_not_divide_names_the_tensor() {
        let error = Pattern::NofM { keep: 2, of: 4 }.check("blk.q", 6).unwrap_err().to_string();
        assert!(error.contains("blk.q") && error.contains('6'), "{error}");
    }
}
