//! One JSON object per line.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Format, Texts};
use crate::{Error, Options, Result, lines::Lines};

/// Most bytes of one line.
const LIMIT: u64 = 1 << 26;

/// Fields that hold the text, most usual first; tried when no field is named.
const USUAL_FIELDS: [&str; 8] =
    ["text", "content", "document", "story", "article", "passage", "body", "raw_content"];

/// One JSON object per line, the text in one of its fields.
pub(super) struct JsonLines;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn summary(&self) -> &'static str {
        "one JSON object per line, one document each; the text in a field that can be named"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "jsonlines"]
    }

    fn check(&self, path: &Path, options: &Options) -> Result<()> {
        match options.split {
            None => Ok(()),
            Some(_) => Err(Error::Option {
                path: path.into(),
                option: "split",
                applies: "plain text",
                format: "JSONL",
            }),
        }
    }

    fn texts(&self, path: &Path, options: &Options) -> Result<Texts> {
        let lines = Lines::open(path, LIMIT)?;
        Ok(Box::new(Records { lines, field: options.field.clone(), ended: false }))
    }
}

struct Records {
    lines: Lines,
    /// The field that holds the text; the first record settles it where the user does not.
    field: Option<String>,
    ended: bool,
}

impl Records {
    fn record(&mut self) -> Result<Option<String>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let parsed = serde_json::from_str::<Map<String, Value>>(line);
            let mut record = parsed.map_err(|error| self.not_an_object(&error))?;
            let field = self.field.take().map_or_else(|| self.usual_field(&record), Ok)?;
            let text = self.text(&mut record, &field)?;
            self.field = Some(field);
            if !text.trim().is_empty() {
                return Ok(Some(text));
            }
        }
    }

    fn not_an_object(&self, error: &serde_json::Error) -> Error {
        self.lines.error(format!("expected a JSON object, found otherwise: {error}"))
    }

    fn usual_field(&self, record: &Map<String, Value>) -> Result<String> {
        let found = USUAL_FIELDS.iter().find(|name| record.contains_key(**name));
        found.map(|name| (*name).to_owned()).ok_or_else(|| {
            self.lines.error(format!(
                "no field known to hold text; the fields are {}; name one with the option field",
                fields(record)
            ))
        })
    }

    fn text(&self, record: &mut Map<String, Value>, field: &str) -> Result<String> {
        match record.get_mut(field) {
            Some(Value::String(text)) => Ok(std::mem::take(text)),
            Some(other) => Err(self.lines.error(format!(
                "the field {field:?} must be a string, {} found; the fields are {}",
                kind(other),
                fields(record)
            ))),
            None => Err(self
                .lines
                .error(format!("no field {field:?}; the fields are {}", fields(record)))),
        }
    }
}

impl Iterator for Records {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}

/// Names of the fields, shortened where a record has very many.
fn fields(record: &Map<String, Value>) -> String {
    const SHOWN: usize = 12;
    let short = |name: &String| name.chars().take(40).collect::<String>();
    let mut names = record.keys().take(SHOWN).map(short).collect::<Vec<_>>();
    if names.is_empty() {
        return "none at all".into();
    }
    if record.len() > SHOWN {
        names.push(format!("and {} more", record.len() - SHOWN));
    }
    names.join(", ")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
