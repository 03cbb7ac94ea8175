//! A calibration set that was saved before.

use std::path::Path;

use lm::Observer;

use super::Source;
use crate::storage::is_saved_set;
use crate::{CalibrationSet, Error, Recipe, Result, Workspace};

/// A saved calibration set.
pub(super) struct Saved;

impl Source for Saved {
    fn name(&self) -> &'static str {
        "saved"
    }

    fn summary(&self) -> &'static str {
        "a calibration set saved by `calibrate` (.safetensors)"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Loads the token ids of a set that was made and saved before, and checks that the model has the
  tokenizer they were made with.

When to use it
  To use one set for several runs, or to repeat someone else's.

Parameters
  samples: only the first so many sequences. Everything else is fixed by the file; a length that
  differs from the file's is an error.

Cost
  Reading the file.

Reference
  Token ids are stored, not text: decoding and tokenising again does not always give the same ids."
    }

    fn accepts(&self, source: &str) -> bool {
        is_saved_set(Path::new(source))
    }

    fn check(&self, source: &str) -> Result<()> {
        super::exists(source)
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        _observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        recipe.refuse_documents("a saved set")?;
        recipe.refuse_filters("a saved set")?;
        recipe.refuse_synthesis("a saved set")?;
        let mut set = CalibrationSet::load(recipe.source.as_ref())?;
        let what = format!("the calibration set {}", recipe.source);
        set.check_tokenizer_as(&what, &workspace.model.checkpoint().tokenizer)?;
        if let Some(samples) = recipe.samples {
            set = set.first(samples)?;
        }
        check_lengths(&set, recipe, workspace.model.spec().context)?;
        Ok(set)
    }
}

fn check_lengths(set: &CalibrationSet, recipe: &Recipe, context: usize) -> Result<()> {
    let source = &recipe.source;
    for (index, found) in set.sequences.iter().map(Vec::len).enumerate() {
        if recipe.length.is_some_and(|length| length != found) {
            let problem = format!("sequence {index} of {source} has {found} tokens; leave it out");
            return Err(Error::setting("length", problem));
        }
        if found > context {
            return Err(Error::malformed(
                source,
                format!("sequence {index} has {found} tokens, the model's context is {context}"),
            ));
        }
    }
    Ok(())
}
