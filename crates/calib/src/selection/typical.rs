//! The sequences most like what the model was trained on.

use lm::{Observer, scoring};

use super::{Choice, Pool, Selection};
use crate::typicality::{SHARE, min_k};
use crate::{Result, scores::within};

/// Keeps the sequences of highest Min-K%++.
pub(super) struct Typical;

impl Selection for Typical {
    fn name(&self) -> &'static str {
        "typical"
    }

    fn summary(&self) -> &'static str {
        "the sequences most like the model's training data, by Min-K%++"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Scores every sequence of the pool by Min-K%++ under the model: the mean, over the half of its tokens
  where it is lowest, of how many standard deviations the token's log-probability is above what the
  model expects there. Keeps the sequences with the highest scores.

When to use it
  With collected text of mixed quality, where the model's training data is not at hand. It may narrow
  what is kept to one kind of text; compare with `random` from the same pool.

Parameters
  pool (--pool): sequences drawn for each that is kept, 4. The share of tokens is 50 %.

Cost
  One forward pass over the pool, four times the tokens that are kept.

Reference
  Zhang et al., Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language
  Models, ICLR 2025, equation 3."
    }

    fn choose(&self, pool: &Pool<'_>, observer: &dyn Observer) -> Result<Choice> {
        let sequences: Vec<&[u32]> = pool.sequences.iter().map(Vec::as_slice).collect();
        let (model, memory) = (pool.workspace.model, pool.workspace.memory);
        let observed =
            within(memory, |options| scoring::observe(model, &sequences, options, observer))?;
        let scores: Vec<f64> =
            observed.tokens.iter().map(|tokens| min_k(tokens, SHARE).unwrap_or(f64::MIN)).collect();
        Ok(Choice { kept: highest(&scores, pool.wanted), scores })
    }
}

/// The places of the `wanted` highest scores; of equals the earlier goes first.
fn highest(scores: &[f64], wanted: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    places.truncate(wanted);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_kept_the_earlier_of_equals_first() {
        assert_eq!(highest(&[0.5, -1.0, 2.0, 0.5, 0.5], 3), [2, 0, 3]);
        assert_eq!(highest(&[1.0], 1), [0]);
    }
}
