//! Records of a task's data, with the hub's field names.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: Arc<Path>,
    unit: &'static str,
    /// Its number in the file, from 1.
    pub number: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.file.display(), self.unit, self.number)
    }
}

/// One record of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    fields: Map<String, Value>,
    place: Place,
}

/// The records of files with all their fields, in order: JSON lines, an array of JSON objects,
/// Parquet or Arrow, told by the extension.
///
/// # Errors
/// When a file cannot be read, holds no record, or something that is not an object; file and line,
/// record or row are named.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Record>> {
    let each = paths.iter().map(|path| read_one(path));
    Ok(each.collect::<Result<Vec<_>>>()?.concat())
}

fn read_one(path: &Path) -> Result<Vec<Record>> {
    let file: Arc<Path> = path.into();
    let (mut rows, mut records) = (data::rows(path)?, Vec::new());
    while let Some(fields) = rows.row()? {
        let (unit, number) = rows.place();
        records.push(Record { fields, place: Place { file: file.clone(), unit, number } });
    }
    match records.is_empty() {
        true => Err(Error::Text(data::Error::Empty { path: path.into() })),
        false => Ok(records),
    }
}

impl Record {
    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether another record says the same in all its fields.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.fields == other.fields
    }

    /// An error about this record.
    pub fn error(&self, problem: impl Into<String>) -> Error {
        Error::at(&self.place, problem)
    }

    /// Whether it has the field; `a.b` is the field `b` of the object `a`.
    pub fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn value(&self, field: &str) -> Result<&Value> {
        self.find(field).ok_or_else(|| {
            let known: Vec<_> = self.fields.keys().map(String::as_str).collect();
            self.error(format!("no field {field:?}; the fields are {}", known.join(", ")))
        })
    }

    /// A text.
    ///
    /// # Errors
    /// When the field is missing or no text.
    pub fn text(&self, field: &str) -> Result<&str> {
        let value = self.value(field)?;
        value.as_str().ok_or_else(|| self.unexpected(field, "a text", value))
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When the field is missing or something else.
    pub fn texts(&self, field: &str) -> Result<Vec<&str>> {
        let value = self.value(field)?;
        let texts = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| self.unexpected(field, "a list of texts", value))
    }

    /// A whole number, also where it is written as a text.
    ///
    /// # Errors
    /// When the field is missing or something else.
    pub fn number(&self, field: &str) -> Result<i64> {
        let value = self.value(field)?;
        let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        number.ok_or_else(|| self.unexpected(field, "a whole number", value))
    }

    /// True or false.
    ///
    /// # Errors
    /// When the field is missing or something else.
    pub fn truth(&self, field: &str) -> Result<bool> {
        let value = self.value(field)?;
        value.as_bool().ok_or_else(|| self.unexpected(field, "true or false", value))
    }

    /// A number from 0 that chooses one of `choices`.
    ///
    /// # Errors
    /// When the field is missing or chooses none of them.
    pub fn label(&self, field: &str, choices: usize) -> Result<usize> {
        let number = self.number(field)?;
        let label = usize::try_from(number).ok().filter(|label| *label < choices);
        label.ok_or_else(|| {
            let hint = if number == -1 { "; the hub's test splits have no labels" } else { "" };
            let last = choices.saturating_sub(1);
            self.error(format!("{field}: 0 to {last} expected, {number} found{hint}"))
        })
    }

    /// The place among `labels` of the text in a field, without white space around it.
    ///
    /// # Errors
    /// When the field is missing or none of them.
    pub fn named_label(&self, field: &str, labels: &[&str]) -> Result<usize> {
        let found = self.text(field)?.trim();
        labels.iter().position(|label| *label == found).ok_or_else(|| {
            self.error(format!("{field}: one of {} expected, {found:?} found", labels.join(", ")))
        })
    }

    /// What a field says of something else than what was expected.
    pub fn unexpected(&self, field: &str, expected: &str, found: &Value) -> Error {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(60) {
            found.truncate(cut);
            found.push_str(" ...");
        }
        self.error(format!("{field}: {expected} expected, {found} found"))
    }

    fn find(&self, field: &str) -> Option<&Value> {
        let (first, rest) = field.split_once('.').unwrap_or((field, ""));
        let mut value = self.fields.get(field).or_else(|| self.fields.get(first))?;
        if self.fields.contains_key(field) {
            return Some(value);
        }
        for name in rest.split('.').filter(|name| !name.is_empty()) {
            value = value.get(name)?;
        }
        Some(value)
    }
}

#[cfg(test)]
pub(crate) fn record(fields: Value) -> Record {
    let Value::Object(fields) = fields else { panic!("an object") };
    let place = Place { file: Path::new("test.jsonl").into(), unit: "line", number: 3 };
    Record { fields, place }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn read_as(name: &str, text: &str) -> Result<Vec<Record>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&[path])
    }

    #[test]
    fn lines_and_arrays_hold_the_same_records() {
        let lines = read_as("a.jsonl", "\u{feff}{\"a\": 1}\n\n{\"a\": 2}\r\n").unwrap();
        let array = read_as("a.json", "[{\"a\": 1}, {\"a\": 2}]").unwrap();
        for records in [&lines, &array] {
            let numbers: Vec<_> = records.iter().map(|r| r.number("a").unwrap()).collect();
            assert_eq!(numbers, [1, 2]);
        }
        assert!(lines[1].place().to_string().ends_with("a.jsonl, line 3"));
        assert!(array[1].place().to_string().ends_with("a.json, record 2"));
    }

    #[test]
    fn files_that_hold_something_else_are_refused_by_line() {
        for (name, text, expected) in [
            ("a.jsonl", "{}\n[1]\n", "a.jsonl, line 2: expected a JSON object"),
            ("a.json", "[{},\n7]", "a.json, line 2: expected a JSON object"),
            ("a.parquet", "PAR1", "a.parquet: the file is broken"),
            ("a.txt", "words", "a.txt: records with fields expected"),
            ("a.jsonl", "\n", "it holds no text"),
        ] {
            let error = read_as(name, text).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.is_bad_input());
        }
    }

    #[test]
    fn fields_are_found_and_checked() {
        let fields = json!({"t": "x", "n": "7", "c": {"text": ["a", "b"]}, "b": true, "l": -1});
        let record = record(fields);
        assert_eq!(record.text("t").unwrap(), "x");
        assert_eq!(record.number("n").unwrap(), 7);
        assert_eq!(record.texts("c.text").unwrap(), ["a", "b"]);
        assert!(record.truth("b").unwrap() && record.has("c.text") && !record.has("c.label"));
        assert_eq!(record.named_label("t", &["w", "x"]).unwrap(), 1);
        for (error, expected) in [
            (record.text("q").unwrap_err(), "no field \"q\"; the fields are t, n, c, b, l"),
            (record.text("n.x").unwrap_err(), "no field \"n.x\""),
            (record.text("b").unwrap_err(), "b: a text expected, true found"),
            (record.texts("c").unwrap_err(), "c: a list of texts expected"),
            (record.label("n", 4).unwrap_err(), "n: 0 to 3 expected, 7 found"),
            (record.label("l", 4).unwrap_err(), "test splits have no labels"),
            (record.named_label("t", &["y"]).unwrap_err(), "t: one of y expected, \"x\" found"),
        ] {
            let error = error.to_string();
            assert!(
                error.starts_with("test.jsonl, line 3: ") && error.contains(expected),
                "{error}"
            );
        }
    }
}
