//! JSON files of a checkpoint.

use serde_json::Value;

use super::file::File;
use crate::{Error, Result};

/// The object in `file`.
pub(super) fn read_object(file: &File<'_>) -> Result<Value> {
    let path = file.path();
    let value: Value = serde_json::from_slice(&file.read()?)
        .map_err(|error| Error::malformed(path, format!("not valid JSON: {error}")))?;
    if !value.is_object() {
        return Err(Error::malformed(path, "a JSON object expected"));
    }
    Ok(value)
}

/// The object in `file`, where there is such a file.
pub(super) fn read_optional(file: Option<&File<'_>>) -> Result<Option<Value>> {
    file.map(read_object).transpose()
}

/// `value` as text that does not depend on the order of keys or on white space.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields = fields.into_iter().map(|(name, value)| {
                format!("{}:{}", Value::String(name.clone()), canonical(value))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
