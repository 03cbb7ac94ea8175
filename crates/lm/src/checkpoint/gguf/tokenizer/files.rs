//! The files that stand beside tokenizer.json.

use serde_json::{Map, Value, json};

use super::super::metadata::Metadata;
use super::Around;
use super::vocabulary::Vocabulary;
use crate::Result;

/// Key of the chat template.
pub(super) const CHAT_TEMPLATE: &str = "tokenizer.chat_template";

/// tokenizer_config.json, special_tokens_map.json and generation_config.json.
pub(super) fn around(
    metadata: &Metadata<'_>,
    vocabulary: &Vocabulary<'_>,
    around: Around,
) -> Result<Vec<(&'static str, Value)>> {
    let named = named(vocabulary);
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    config.insert("add_bos_token".into(), around.bos.is_some().into());
    config.insert("add_eos_token".into(), around.eos.is_some().into());
    config.insert("clean_up_tokenization_spaces".into(), false.into());
    config.insert("model_max_length".into(), metadata.whole("llama.context_length")?.into());
    config.extend(named.clone());
    if let Some(template) = chat_template(metadata)? {
        config.insert("chat_template".into(), template);
    }
    let ids = &vocabulary.ids;
    let mut generation = json!({
        "bos_token_id": ids.bos,
        "eos_token_id": ids.eos_value(),
        "pad_token_id": ids.pad,
    });
    if let Some(fields) = generation.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(vec![
        ("generation_config.json", generation),
        ("tokenizer_config.json", config.into()),
        ("special_tokens_map.json", named.into()),
    ])
}

/// The special tokens' texts under the names `transformers` gives them.
fn named(vocabulary: &Vocabulary<'_>) -> Map<String, Value> {
    let ids = &vocabulary.ids;
    let named = [
        ("bos_token", ids.bos),
        ("eos_token", ids.eos),
        ("unk_token", ids.unknown),
        ("pad_token", ids.pad),
    ];
    let token = |id: u32| Value::from(vocabulary.token(id));
    named.into_iter().filter_map(|(name, id)| Some((name.to_owned(), token(id?)))).collect()
}

/// The chat template, or the list of them where the file has several.
fn chat_template(metadata: &Metadata<'_>) -> Result<Option<Value>> {
    let default = metadata.text(CHAT_TEMPLATE)?;
    let names = metadata.texts("tokenizer.chat_templates")?.unwrap_or_default();
    if names.is_empty() {
        return Ok(default.map(Value::from));
    }
    let mut all = Vec::new();
    all.extend(default.map(|template| json!({"name": "default", "template": template})));
    for name in names.into_iter().filter(|name| *name != "default") {
        let key = format!("{CHAT_TEMPLATE}.{name}");
        let template = metadata.required(&key, metadata.text(&key)?)?;
        all.push(json!({"name": name, "template": template}));
    }
    Ok(Some(all.into()))
}
