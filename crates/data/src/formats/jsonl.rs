//! One JSON object per line.

use std::path::Path;

use super::{Format, Items};
use crate::{
    Error, Options, Result,
    input::Bytes,
    lines::Lines,
    records::{Record, Records, Rows},
};

/// Most bytes of one line.
const LIMIT: u64 = 1 << 26;

/// One JSON object per line, the text in one of its fields.
pub(crate) struct JsonLines;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn summary(&self) -> &'static str {
        "one JSON object per line, one document each; the text in fields that can be named"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "jsonlines"]
    }

    fn items(&self, path: &Path, options: &Options) -> Result<Items> {
        Ok(records(Lines::open(path, LIMIT)?, options))
    }

    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>> {
        Ok(Box::new(Lines::open(path, LIMIT)?))
    }
}

/// The items of `lines`.
fn records(lines: Lines, options: &Options) -> Items {
    Box::new(Records::new(lines, options.field.as_deref(), None))
}

/// Standard input as JSONL.
pub(crate) fn of(reader: Bytes, path: &Path, options: &Options) -> Items {
    records(Lines::of(reader, path, LIMIT), options)
}

impl Rows for Lines {
    fn row(&mut self) -> Result<Option<Record>> {
        loop {
            let Some(line) = self.next()? else { return Ok(None) };
            if line.trim().is_empty() {
                continue;
            }
            let parsed = serde_json::from_str(line);
            return parsed.map(Some).map_err(|error| {
                self.error(format!("expected a JSON object, found otherwise: {error}"))
            });
        }
    }

    fn place(&self) -> (&'static str, usize) {
        ("line", self.number())
    }

    fn error(&self, problem: String) -> Error {
        Lines::error(self, problem)
    }
}
