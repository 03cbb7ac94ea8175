//! How differently the layers are fed.

use super::{Better, Exhibit, Measure, Score};

/// The distance of the layers' inputs from those that held-out text gives.
pub(super) struct InputDistance;

impl Score for InputDistance {
    fn name(&self) -> &'static str {
        "input-distance"
    }

    fn summary(&self) -> &'static str {
        "how differently the set and held-out text weigh the inputs of the model's layers"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Measures the root mean square of every input of every site on the set and on a yardstick, and
  averages |ln(set / yardstick)| over inputs, sites and blocks, after taking out the factor that all
  inputs of a site share: that factor changes no comparison within a row. 0 where the layers see the
  same; 0.1 where the inputs differ by 10 % on average.

When to use it
  It is the order of `rank` where nothing is pruned: what Wanda and its kin read of calibration data
  is these norms and nothing else. A small distance to text that the pruned model is to be good at is
  what calibration data is for. On SmolLM2, over ten kinds of data and seven yardsticks, its order was that of
  the measured damage with a rank correlation of 0.8 to 1.0; with the model's own text as the only
  yardstick 0.0 to 0.6, so name others (docs/calibration-study.md).

Parameters
  --yardstick: the held-out texts. Text that the model writes itself is always among them, and it
  favours sets of the model's own text.

Cost
  One forward pass over the set, shared by all scores, and one over every yardstick.

Reference
  Sun et al., A Simple and Effective Pruning Approach for Large Language Models, ICLR 2024, equation 1
  (the norms); the distance is ours."
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn measure(&self) -> Measure {
        Measure::Yardstick(|set: &Exhibit, yardstick: &Exhibit| {
            set.inputs.distance(&yardstick.inputs)
        })
    }
}
