//! Plain text.

use std::path::Path;

use super::{Format, Items};
use crate::{
    Error, Options, Result, Split,
    input::Bytes,
    lines::Lines,
    records::{Item, Rows},
};

/// Most bytes of one document: a document is held in memory whole.
const LIMIT: u64 = 1 << 30;

/// Plain text in UTF-8.
pub(crate) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn summary(&self) -> &'static str {
        "plain UTF-8 text; one document per file, per line, or between blank lines"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "text", "md", "raw", "tokens", ""]
    }

    fn has_fields(&self) -> bool {
        false
    }

    fn items(&self, path: &Path, options: &Options) -> Result<Items> {
        Ok(documents(Lines::open(path, LIMIT)?, options))
    }

    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>> {
        let problem = "records with fields expected, plain text found".into();
        Err(Error::Malformed { path: path.into(), problem })
    }
}

/// Standard input as text.
pub(crate) fn of(reader: Bytes, path: &Path, options: &Options) -> Items {
    documents(Lines::of(reader, path, LIMIT), options)
}

fn documents(lines: Lines, options: &Options) -> Items {
    let split = options.split.unwrap_or_default();
    Box::new(Documents { lines, split, text: String::new(), ended: false })
}

struct Documents {
    lines: Lines,
    split: Split,
    /// The document so far. A line that cannot be used is left out of it.
    text: String,
    ended: bool,
}

impl Documents {
    /// Lines up to the next boundary, `None` when nothing but white space is left.
    fn document(&mut self) -> Result<Option<String>> {
        while let Some(line) = self.lines.next()? {
            let blank = line.trim().is_empty();
            if self.text.is_empty() && blank && self.split != Split::File {
                continue;
            }
            if blank && self.split == Split::BlankLine {
                return Ok(Some(self.finished()));
            }
            self.text.push_str(line);
            if self.split == Split::Line {
                return Ok(Some(self.finished()));
            }
            if self.text.len() as u64 > LIMIT {
                self.text.clear();
                return Err(self.lines.too_long("cut it into several files, or cut it at lines"));
            }
        }
        match self.text.trim().is_empty() {
            true => Ok(None),
            false => Ok(Some(self.finished())),
        }
    }

    fn finished(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        if self.split != Split::File {
            text.truncate(text.trim_end_matches(['\n', '\r']).len());
        }
        text
    }
}

impl Iterator for Documents {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let document = self.document().transpose();
        self.ended = match &document {
            Some(Err(error)) => !error.concerns_one_record(),
            other => other.is_none(),
        };
        document.map(|text| text.map(Item::plain))
    }
}
