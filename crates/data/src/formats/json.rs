//! JSON: an array of objects, or objects one after the other.

use std::path::Path;

use super::{Format, Items};
use crate::{
    Error, Options, Result,
    input::Bytes,
    records::{Record, Records, Rows},
    values::Values,
};

/// An array of JSON objects, or a row of objects, the text in one of their fields.
pub(crate) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn summary(&self) -> &'static str {
        "an array of JSON objects, or objects one after the other; read one at a time"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn items(&self, path: &Path, options: &Options) -> Result<Items> {
        Ok(records(Values::open(path)?, options))
    }

    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>> {
        Ok(Box::new(Values::open(path)?))
    }
}

/// Standard input as JSON.
pub(crate) fn of(reader: Bytes, path: &Path, options: &Options) -> Items {
    records(Values::of(reader, path), options)
}

fn records(values: Values, options: &Options) -> Items {
    Box::new(Records::new(values, options.field.as_deref(), None))
}

impl Rows for Values {
    fn row(&mut self) -> Result<Option<Record>> {
        let Some(value) = self.next()? else { return Ok(None) };
        serde_json::from_slice(&value).map(Some).map_err(|error| {
            self.error(format!("expected a JSON object, found otherwise: {error}"))
        })
    }

    fn place(&self) -> (&'static str, usize) {
        ("record", self.count())
    }

    fn error(&self, problem: String) -> Error {
        Values::error(self, problem)
    }
}
