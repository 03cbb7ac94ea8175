//! How like its training data a set is to the model.

use super::{Better, Exhibit, Measure, Score};
use crate::typicality::{SHARE, min_k};

/// Min-K%++, the mean over the sequences.
pub(super) struct MinK;

impl Score for MinK {
    fn name(&self) -> &'static str {
        "min-k"
    }

    fn summary(&self) -> &'static str {
        "Min-K%++: how like the model's training data the least likely half of the tokens is"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  For every token, how many standard deviations its log-probability is above what the model expects of
  its own draws at that position; the mean over the half of each sequence where that is lowest; the
  mean over the sequences. Higher is more like training data; the model's own text at temperature 1 is
  about -0.75, and text that it finds foreign far below.

When to use it
  To tell text like the training data from other text without having the training data. Text written
  at a low temperature scores higher than any real text: high is not always good. It
  describes a set; by how much pruning with it hurts, sets were in no or the opposite order (SmolLM2, ten
  kinds of text: rank correlation -0.4 to -0.2; docs/calibration-study.md).

Parameters
  The share of tokens is 50 %, as in the paper.

Cost
  One forward pass over the set, shared by all scores.

Reference
  Zhang et al., Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language
  Models, ICLR 2025, equation 3."
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn measure(&self) -> Measure {
        Measure::Set(mean)
    }
}

fn mean(set: &Exhibit) -> f64 {
    let scores: Vec<f64> = set.tokens.iter().filter_map(|tokens| min_k(tokens, SHARE)).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}
