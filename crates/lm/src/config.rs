//! Typed access to the fields of a config.json, with errors that name the field.

use serde_json::Value;

use crate::{Error, Result};

/// An object of a configuration and the path that leads to it.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    value: &'a Value,
    path: String,
}

/// The largest size a field may have: far above any model, small enough that products of two fit.
const LARGEST_SIZE: u64 = 1 << 28;

impl<'a> Fields<'a> {
    pub(crate) fn new(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// Whether `field` is there and not null.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.value.get(field).filter(|value| !value.is_null())
    }

    /// An error about `field`.
    pub(crate) fn problem(&self, field: &str, problem: impl Into<String>) -> Error {
        Error::config(format!("{}{field}", self.path), problem)
    }

    fn expected(&self, field: &str, expected: &str) -> Error {
        let found = self.get(field).map_or("nothing".to_owned(), Value::to_string);
        self.problem(field, format!("{expected} expected, {found} found"))
    }

    /// A size: a whole number above zero.
    pub(crate) fn size(&self, field: &str) -> Result<usize> {
        self.size_up_to(field, LARGEST_SIZE)
    }

    /// A size that is not larger than any model's.
    pub(crate) fn size_up_to(&self, field: &str, largest: u64) -> Result<usize> {
        let value = self.get(field).and_then(Value::as_u64);
        let value = value.filter(|value| (1..=largest).contains(value));
        value
            .map(|value| value as usize)
            .ok_or_else(|| self.expected(field, &format!("a whole number from 1 to {largest}")))
    }

    pub(crate) fn size_or(&self, field: &str, default: usize) -> Result<usize> {
        if self.has(field) { self.size(field) } else { Ok(default) }
    }

    /// A finite number.
    pub(crate) fn number(&self, field: &str) -> Result<f64> {
        let value = self.get(field).and_then(Value::as_f64).filter(|value| value.is_finite());
        value.ok_or_else(|| self.expected(field, "a number"))
    }

    pub(crate) fn number_or(&self, field: &str, default: f64) -> Result<f64> {
        if self.has(field) { self.number(field) } else { Ok(default) }
    }

    pub(crate) fn flag_or(&self, field: &str, default: bool) -> Result<bool> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.expected(field, "true or false"))
    }

    pub(crate) fn text_or(&self, field: &str, default: &'a str) -> Result<&'a str> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_str().ok_or_else(|| self.expected(field, "a text"))
    }

    /// An object within this one, where it is there.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Fields<'a>>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        if !value.is_object() {
            return Err(self.expected(field, "an object"));
        }
        Ok(Some(Fields { value, path: format!("{}{field}.", self.path) }))
    }
}
