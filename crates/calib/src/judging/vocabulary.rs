//! How many different tokens a set has.

use super::{Better, Measure, Score};

/// Distinct token ids.
pub(super) struct Vocabulary;

impl Score for Vocabulary {
    fn name(&self) -> &'static str {
        "vocabulary"
    }

    fn summary(&self) -> &'static str {
        "how many different token ids occur"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Counts the distinct token ids of the set.

When to use it
  Beside `coverage`: a set of few different tokens shows the layers little. Compare sets of one size
  only. Random tokens have the most, so more is not always better; it foretold no
  damage on SmolLM2 (docs/calibration-study.md).

Parameters
  None.

Cost
  None to speak of.

Reference
  None: it is a count."
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn measure(&self) -> Measure {
        Measure::Set(|set| set.occurring().into_iter().filter(|occurs| *occurs).count() as f64)
    }
}
