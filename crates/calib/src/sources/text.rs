//! Plain text files.

use std::path::Path;

use lm::Observer;

use super::{Source, Uses, documents::Collection};
use crate::{CalibrationSet, Packing, Recipe, Result, Workspace};

/// A plain text file.
pub(super) struct Text;

impl Source for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn summary(&self) -> &'static str {
        "a plain text file (.txt and the like), compressed or not, or standard input (-)"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Reads UTF-8 text, tokenises it once without special tokens, and cuts windows at random places.
  Standard input is read as text, or as JSON where it begins like that.

When to use it
  When you have text like what the model was trained on, or like what it will be used for.

Parameters
  samples, length, seed: how many windows, of how many tokens, drawn with which seed.
  packing: stream (default); document, reference and whole draw documents.
  split: where one document ends: file (default), blank-line or line. Only then do the other packings
  have more than one document to draw from.
  documents: how many are read at most, from the beginning: of a source that is very long or never ends.
  filters: see `list filters`; none unless asked for.

Cost
  Reading and tokenising the text. Memory does not grow with it, one document aside.

Reference
  The WikiText-2 draw of the published pruning code, with a random generator of our own."
    }

    fn accepts(&self, source: &str) -> bool {
        let path = Path::new(source);
        let text = || data::formats::find(path).is_ok_and(|format| !format.has_fields());
        data::is_standard_input(path) || (!data::is_many(path) && text())
    }

    fn uses(&self) -> Uses {
        Uses::DOCUMENTS
    }

    fn check(&self, source: &str) -> Result<()> {
        super::exists(source)
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        Collection::of_file(self.name(), recipe, Packing::Stream)?.collect(workspace, observer)
    }
}
