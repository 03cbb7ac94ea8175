//! How probable the model finds a set.

use super::{Better, Measure, Score};

/// Perplexity over all tokens.
pub(super) struct Perplexity;

impl Score for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn summary(&self) -> &'static str {
        "how improbable the model finds the set"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  The exponential of minus the mean log-probability of every token of the set but the first of each
  sequence.

When to use it
  To see at once which sets are foreign to the model. Low is not always good: a text that loops is
  very probable, so look at `repetition` beside it. It foretold no damage on SmolLM2 (rank correlation -0.3
  to 0.4 over ten kinds of text; docs/calibration-study.md).

Parameters
  None.

Cost
  One forward pass over the set, shared by all scores.

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025 (perplexity of
  calibration data as a sign of its likeness to training data)."
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn measure(&self) -> Measure {
        Measure::Set(|set| {
            let tokens = || set.tokens.iter().flatten();
            let sum: f64 = tokens().map(|token| token.log_probability).sum();
            (-sum / tokens().count() as f64).exp()
        })
    }
}
