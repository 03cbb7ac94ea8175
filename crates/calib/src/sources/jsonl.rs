//! JSONL files and folders of files: many documents.

use std::path::Path;

use lm::Observer;

use super::{Source, documents};
use crate::{CalibrationSet, Packing, Recipe, Result, Workspace};

/// A JSONL file, or a folder of text and JSONL files.
pub(super) struct JsonLines;

impl Source for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn summary(&self) -> &'static str {
        "a JSONL file, one document per line, or a folder of text and JSONL files"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Draws documents at random, tokenises each on its own without special tokens, redraws until one is
  longer than the window, and crops it at random. No window crosses documents.

When to use it
  With collected data such as C4: one JSON object per line, the text in the field `text`.

Parameters
  samples, length, seed: how many windows, of how many tokens, drawn with which seed.
  field: the field that holds the text; found among the usual names when absent.
  packing: document (default) or stream, which also uses documents shorter than a window.

Cost
  Reading all documents, tokenising those drawn; all are tokenised once where long ones are rare.

Reference
  The C4 draw of the published pruning code, with a random generator of our own."
    }

    fn accepts(&self, source: &str) -> bool {
        let path = Path::new(source);
        path.is_dir() || data::formats::find(path).is_ok_and(|format| format.name() == "jsonl")
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        let packing = recipe.packing.unwrap_or(Packing::Document);
        documents::collect(recipe, (self.name(), packing), workspace, observer)
    }
}
