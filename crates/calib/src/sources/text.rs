//! Plain text files.

use lm::Observer;

use super::{Source, documents};
use crate::{CalibrationSet, Packing, Recipe, Result, Workspace};

/// A plain text file.
pub(super) struct Text;

impl Source for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn summary(&self) -> &'static str {
        "a plain text file (.txt and the like)"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Reads UTF-8 text, tokenises it once without special tokens, and cuts windows at random places.

When to use it
  When you have text like what the model was trained on, or like what it will be used for.

Parameters
  samples, length, seed: how many windows, of how many tokens, drawn with which seed.
  packing: stream (default) or document.
  split: where one document ends: file (default), blank-line or line. Only then has the packing
  `document` more than one document to draw from.

Cost
  Reading and tokenising the text.

Reference
  The WikiText-2 draw of the published pruning code, with a random generator of our own."
    }

    fn accepts(&self, source: &str) -> bool {
        data::formats::find(source.as_ref()).is_ok_and(|format| format.name() == "text")
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        let packing = recipe.packing.unwrap_or(Packing::Stream);
        documents::collect(recipe, (self.name(), packing), workspace, observer)
    }
}
