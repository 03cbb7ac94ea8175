//! Model families: one file per `model_type`.
//!
//! To add a family, write its file and add its line to [`FAMILIES`].

mod llama;

use serde_json::Value;

use crate::{Error, Result, Spec};

/// Reads the configuration of the models of one family.
pub trait Family: Sync {
    /// The `model_type` values of config.json that it reads.
    fn model_types(&self) -> &'static [&'static str];

    /// One line on what it covers.
    fn summary(&self) -> &'static str;

    /// The model that `config` describes.
    ///
    /// # Errors
    /// When a field is missing, or asks for something the family does not have.
    fn spec(&self, config: &Value) -> Result<Spec>;
}

/// Every family, in the order they are listed to users.
pub const FAMILIES: &[&dyn Family] = &[&llama::Llama];

/// The model that `config` describes, read by the family its `model_type` names.
///
/// # Errors
/// When no family knows the `model_type`, or the family cannot read the configuration.
pub fn spec(config: &Value) -> Result<Spec> {
    let model_type = config.get("model_type").and_then(Value::as_str);
    let Some(model_type) = model_type else {
        return Err(Error::config(
            "model_type",
            "missing; expected one of the known architectures",
        ));
    };
    let family = FAMILIES.iter().find(|family| family.model_types().contains(&model_type));
    family.ok_or_else(|| unknown(model_type))?.spec(config)
}

/// The error for an architecture no family knows.
fn unknown(model_type: &str) -> Error {
    let known: Vec<_> = FAMILIES.iter().flat_map(|family| family.model_types()).copied().collect();
    Error::Unsupported {
        what: format!("the architecture {model_type:?} (config.json, model_type)"),
        hint: format!("known architectures: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_architecture_is_named_with_the_known_ones() {
        let error = spec(&serde_json::json!({"model_type": "mamba"})).unwrap_err().to_string();
        assert!(error.contains("\"mamba\"") && error.contains("llama"), "{error}");
    }

    #[test]
    fn every_family_is_registered_once() {
        let mut types: Vec<_> = FAMILIES.iter().flat_map(|family| family.model_types()).collect();
        let count = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), count);
        assert!(FAMILIES.iter().all(|family| !family.summary().is_empty()));
    }
}
