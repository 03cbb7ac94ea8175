//! Random tokens: the control every other source is to beat.

use compute::Stream;
use lm::Observer;

use super::Source;
use crate::{CalibrationSet, Origin, Provenance, Recipe, Result, Workspace};

/// Tokens drawn from the vocabulary, all equally often.
pub(super) struct Random;

impl Source for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn summary(&self) -> &'static str {
        "token ids drawn at random: a control, not calibration data to use"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Draws every token of every sequence from the tokenizer's vocabulary, all equally often, special
  tokens among them.

When to use it
  To see what calibration data is worth: a source that prunes no better than this one says nothing of
  the model's inputs.

Parameters
  samples, length, seed: how many sequences, of how many tokens, with which seed.

Cost
  None to speak of.

Reference
  None: it is the control of an experiment."
    }

    fn accepts(&self, source: &str) -> bool {
        source == "random"
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        _observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        recipe.refuse_documents("random tokens")?;
        recipe.refuse_filters("random tokens")?;
        recipe.refuse_synthesis("random tokens")?;
        let windows = recipe.windows(workspace.model.spec())?;
        let tokenizer = &workspace.model.checkpoint().tokenizer;
        let vocabulary = tokenizer.vocabulary() as u64;
        let sequence = |index: usize| {
            let stream = Stream::new(windows.seed, index as u64);
            (0..windows.length as u64).map(|at| stream.below(at, vocabulary) as u32).collect()
        };
        let origins = (0..windows.samples as u64).map(|stream| Origin::Random { stream });
        let provenance = Provenance {
            special_tokens: "drawn like any other".into(),
            notes: vec!["random tokens are a control, not calibration data to use".into()],
            origins: origins.collect(),
            ..Provenance::of(self.name(), recipe, workspace.model)
        };
        CalibrationSet::new((0..windows.samples).map(sequence).collect(), provenance)
    }
}
