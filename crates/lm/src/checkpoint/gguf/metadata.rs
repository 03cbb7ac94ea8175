//! The key-value pairs of a header, with errors that name the key.

use std::collections::BTreeMap;
use std::path::Path;

use super::reader::Reader;
use super::value::{Kind, Number, Value};
use crate::{Error, Result};

/// The metadata of a file.
pub(super) struct Metadata<'a> {
    path: &'a Path,
    values: BTreeMap<&'a str, Value<'a>>,
}

impl<'a> Metadata<'a> {
    /// Reads `count` pairs.
    pub(super) fn read(path: &'a Path, reader: &mut Reader<'a>, count: u64) -> Result<Self> {
        let mut values = BTreeMap::new();
        for index in 0..count {
            let key = reader.name(&format!("the key of metadata {index}"))?;
            let value = Value::read(reader, &format!("metadata {key}"))?;
            if values.insert(key, value).is_some() {
                return Err(reader.problem(format!("metadata {key}: given twice")));
            }
        }
        Ok(Self { path, values })
    }

    /// An error about `key`.
    pub(super) fn problem(&self, key: &str, problem: impl AsRef<str>) -> Error {
        Error::malformed(self.path, format!("metadata {key}: {}", problem.as_ref()))
    }

    fn expected(&self, key: &str, expected: &str) -> Error {
        let found = self.values.get(key).map_or("nothing".into(), |value| value.describe());
        self.problem(key, format!("{expected} expected, {found} found"))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A value that must be there.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.problem(key, "missing"))
    }

    /// Looks `key` up and converts it with `convert`, which fails where it is not `expected`.
    fn get<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        convert(*value).map(Some).ok_or_else(|| self.expected(key, expected))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.get(key, "a text in UTF-8", |value| match value {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key, "true or false", |value| match value {
            Value::Scalar(Kind::Bool, [byte @ (0 | 1)]) => Some(*byte == 1),
            _ => None,
        })
    }

    /// A whole number that is not negative.
    pub(super) fn whole(&self, key: &str) -> Result<Option<u64>> {
        self.get(key, "a whole number", |value| match value.number()? {
            Number::Whole(value) => u64::try_from(value).ok(),
            Number::Real(_) => None,
        })
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        let finite = |value: Value<'a>| value.number().map(Number::real).filter(|v| v.is_finite());
        self.get(key, "a finite number", finite)
    }

    /// An array of numbers, as single-precision floats.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let real = |value: Value<'a>| {
            Some(value.numbers()?.into_iter().map(Number::real).collect::<Vec<_>>())
        };
        self.get(key, "an array of numbers", real)
    }

    /// An array of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        let Value::Array { of: Kind::Text, count, bytes } = *value else {
            return Err(self.expected(key, "an array of texts"));
        };
        let mut reader = Reader::new(self.path, bytes);
        let mut texts = Vec::new();
        for index in 0..count {
            let text = std::str::from_utf8(reader.text(key)?);
            texts.push(text.map_err(|e| self.problem(key, format!("element {index}: {e}")))?);
        }
        Ok(Some(texts))
    }
}

impl Number {
    fn real(self) -> f64 {
        match self {
            Number::Whole(value) => value as f64,
            Number::Real(value) => value,
        }
    }
}
