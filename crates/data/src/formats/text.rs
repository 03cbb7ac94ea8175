//! Plain text.

use std::path::Path;

use super::{Format, Texts};
use crate::{Error, Options, Result, Split, lines::Lines};

/// Most bytes of one document: a document is held in memory whole.
const LIMIT: u64 = 1 << 30;

/// Plain text in UTF-8.
pub(super) struct Text;

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

    fn check(&self, path: &Path, options: &Options) -> Result<()> {
        match options.field {
            None => Ok(()),
            Some(_) => Err(Error::Option {
                path: path.into(),
                option: "field",
                applies: "JSONL",
                format: "text",
            }),
        }
    }

    fn texts(&self, path: &Path, options: &Options) -> Result<Texts> {
        Ok(Box::new(Documents {
            lines: Lines::open(path, LIMIT)?,
            split: options.split.unwrap_or_default(),
            ended: false,
        }))
    }
}

struct Documents {
    lines: Lines,
    split: Split,
    ended: bool,
}

impl Documents {
    /// Lines up to the next boundary, `None` when nothing but white space is left.
    fn document(&mut self) -> Result<Option<String>> {
        let mut text = String::new();
        while let Some(line) = self.lines.next()? {
            let blank = line.trim().is_empty();
            if text.is_empty() && blank && self.split != Split::File {
                continue;
            }
            if blank && self.split == Split::BlankLine {
                return Ok(Some(without_line_feed(text)));
            }
            text.push_str(line);
            if self.split == Split::Line {
                return Ok(Some(without_line_feed(text)));
            }
            if text.len() as u64 > LIMIT {
                return Err(self.lines.too_long("cut it into several files, or cut it at lines"));
            }
        }
        Ok(match self.split {
            _ if text.trim().is_empty() => None,
            Split::File => Some(text),
            Split::BlankLine | Split::Line => Some(without_line_feed(text)),
        })
    }
}

impl Iterator for Documents {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let document = self.document().transpose();
        self.ended = !matches!(document, Some(Ok(_)));
        document
    }
}

fn without_line_feed(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    text
}
