//! Files of records, folders and patterns: many documents.

use std::path::Path;

use lm::Observer;

use super::{Source, Uses, documents::Collection};
use crate::{CalibrationSet, Packing, Recipe, Result, Workspace};

/// A file of records, or several files of any format.
pub(super) struct Records;

impl Source for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn summary(&self) -> &'static str {
        "a file of documents (JSONL, JSON, Parquet, Arrow), a folder of files, or a pattern"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Draws documents at random, tokenises each on its own without special tokens, redraws until one is
  longer than the window, and crops it at random. No window crosses documents. Files may be compressed
  with gzip or zstd. Conversations are written out by the model's own chat template.

When to use it
  With collected data such as C4: JSONL, JSON, Parquet or Arrow, the text in the field `text`.

Parameters
  samples, length, seed: how many windows, of how many tokens, drawn with which seed.
  field: the field that holds the text, several joined by `+`, or `*` for all; found among the usual
  names when absent: text, content and the like; messages and conversations; instruction, input and
  output; question and answer; prompt and completion.
  packing: document (default); stream also uses documents shorter than a window; whole makes every
  document a sequence; reference repeats the published draw number by number.
  bad_records: stop (default) at a record that cannot be used, or skip and count it.
  documents: how many are read at most, from the beginning: of a source that is very long or never ends.
  filters: see `list filters`; none unless asked for.

Cost
  Reading all documents, tokenising those drawn; all are tokenised once where long ones are rare.
  Memory does not grow with their texts.

Reference
  The C4 draw of the published pruning code, with a random generator of our own."
    }

    fn accepts(&self, source: &str) -> bool {
        let path = Path::new(source);
        data::is_many(path) || data::formats::find(path).is_ok_and(|format| format.has_fields())
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
        Collection::of_file(self.name(), recipe, Packing::Document)?.collect(workspace, observer)
    }
}
