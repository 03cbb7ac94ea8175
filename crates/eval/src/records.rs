//! Records of a task's data: JSON objects with the hub's field names.

use std::{fmt, fs, path::Path, sync::Arc};

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

/// The records of a file, in order: one JSON object per line (.jsonl), or one array of objects
/// (.json).
///
/// # Errors
/// When the file cannot be read, holds no record, or something that is not an object; line and file
/// are named.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let text = fs::read_to_string(path)
        .map_err(|source| Error::Text(data::Error::Io { path: path.into(), source }))?;
    let text = text.trim_start_matches('\u{feff}');
    let is_array = path.extension().is_some_and(|extension| extension == "json");
    let records = if is_array { array(path, text)? } else { lines(path, text)? };
    match records.is_empty() {
        true => Err(Error::Text(data::Error::Empty { path: path.into() })),
        false => Ok(records),
    }
}

fn lines(path: &Path, text: &str) -> Result<Vec<Record>> {
    let file: Arc<Path> = path.into();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let record = |(index, line): (usize, &str)| {
        let place = Place { file: file.clone(), unit: "line", number: index + 1 };
        match serde_json::from_str(line) {
            Ok(fields) => Ok(Record { fields, place }),
            Err(error) => Err(Error::at(&place, format!("a JSON object expected: {error}"))),
        }
    };
    lines.map(record).collect()
}

fn array(path: &Path, text: &str) -> Result<Vec<Record>> {
    let file: Arc<Path> = path.into();
    let values: Vec<Map<String, Value>> = serde_json::from_str(text).map_err(|error| {
        let place = Place { file: file.clone(), unit: "line", number: error.line().max(1) };
        Error::at(&place, format!("an array of JSON objects expected: {error}"))
    })?;
    let record = |(index, fields)| {
        let place = Place { file: file.clone(), unit: "record", number: index + 1 };
        Record { fields, place }
    };
    Ok(values.into_iter().enumerate().map(record).collect())
}

impl Record {
    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
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
    use serde_json::json;

    use super::*;

    fn read_as(name: &str, text: &str) -> Result<Vec<Record>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path)
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
            ("a.jsonl", "{}\n[1]\n", "a.jsonl, line 2: a JSON object expected"),
            ("a.json", "{}", "a.json, line 1: an array of JSON objects expected"),
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
