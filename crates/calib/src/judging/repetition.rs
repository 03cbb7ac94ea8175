//! How much a set repeats itself.

use super::{Better, Measure, Score};
use crate::filters::repeated_share;

/// Tokens of a run.
const RUN: usize = 8;

/// The share of runs that occurred before in their sequence.
pub(super) struct Repetition;

impl Score for Repetition {
    fn name(&self) -> &'static str {
        "repetition"
    }

    fn summary(&self) -> &'static str {
        "the share of runs of 8 tokens that occurred before in their sequence"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Counts, in every sequence, the runs of 8 tokens that occurred earlier in it, as a share of all; the
  mean over the sequences.

When to use it
  To see whether text that a model wrote loops. Natural text has hardly any. It
  foretold no damage on SmolLM2, where no set looped (docs/calibration-study.md).

Parameters
  None; the filter `repetition` drops texts by the same figure.

Cost
  None to speak of.

Reference
  Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020."
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn measure(&self) -> Measure {
        Measure::Set(|set| {
            let shares = set.sequences.iter().map(|tokens| repeated_share(tokens, RUN));
            shares.sum::<f64>() / set.sequences.len() as f64
        })
    }
}
