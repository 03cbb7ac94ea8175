//! A run whose checkpoint is complete but whose report may not be: it ended while it measured.

use std::path::Path;

use lm::checkpoint::CheckpointWriter;
use prune::Pruned;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::BadInput;
use crate::options::PruneOptions;

/// The record the sweep leaves in its output.
const RECORD: &str = "secateur.json";

/// What a finished run says of itself.
#[derive(Deserialize)]
pub(super) struct Finished {
    #[serde(flatten)]
    pub(super) pruned: Pruned,
    #[serde(flatten)]
    identity: serde_json::Map<String, Value>,
}

/// Whether the run goes on with what is there.
pub(super) fn goes_on(options: &PruneOptions) -> bool {
    options.resume && (CheckpointWriter::exists_partial(&options.output) || is_finished(options))
}

/// Whether the sweep of the run that is to be resumed is complete.
pub(super) fn is_finished(options: &PruneOptions) -> bool {
    options.resume
        && !CheckpointWriter::exists_partial(&options.output)
        && options.output.join(RECORD).is_file()
}

/// Reads what a finished sweep left.
///
/// # Errors
/// When the record cannot be read, or the run differs from what is asked for in one of `asked`
/// (a field of the record and the value it should have).
pub(super) fn read(output: &Path, asked: &[(&str, Value)]) -> anyhow::Result<Pruned> {
    let path = output.join(RECORD);
    let bytes = std::fs::read(&path).map_err(lm::Error::io(&path))?;
    let finished: Finished = serde_json::from_slice(&bytes)
        .map_err(|error| BadInput::new(format!("{}: {error}", path.display())))?;
    for (field, expected) in asked {
        let found = finished.identity.get(*field).unwrap_or(&Value::Null);
        compare(output, field, found, expected)?;
    }
    Ok(finished.pruned)
}

/// Refuses a finished run that differs, by the innermost field that does.
fn compare(output: &Path, name: &str, found: &Value, expected: &Value) -> Result<(), BadInput> {
    if let (Value::Object(fields), Value::Object(_)) = (expected, found) {
        return fields.iter().try_for_each(|(field, expected)| {
            let found = found.get(field).unwrap_or(&Value::Null);
            compare(output, &format!("{name}.{field}"), found, expected)
        });
    }
    if found == expected {
        return Ok(());
    }
    let output = output.display();
    let problem = format!(
        "{output} holds a finished run of another kind: {name} is {found}, this run has {expected}"
    );
    let hint = "name another output, or replace this one with --force instead of --resume";
    Err(BadInput::new(problem).hint(hint))
}
