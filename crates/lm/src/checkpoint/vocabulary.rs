//! The tokenizer of a folder and its special tokens.

use serde_json::Value;

use super::{files::Files, json};
use crate::{Error, Result, Tokenizer};

/// Loads tokenizer.json with the tokens that begin and end a text and the chat template.
pub(super) fn load(files: &Files, config: &Value) -> Result<Tokenizer> {
    let Some(file) = files.get("tokenizer.json") else {
        return Err(Error::Unsupported {
            what: format!("{}: a checkpoint without tokenizer.json", files.folder().display()),
            hint: "make one with transformers: \
                   AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
                .into(),
        });
    };
    let mut tokenizer = Tokenizer::from_json(&file.read()?, None, Vec::new())?;
    let sources = Sources {
        config,
        generation: json::read_optional(files.get("generation_config.json").as_ref())?,
        tokenizer: json::read_optional(files.get("tokenizer_config.json").as_ref())?,
        names: json::read_optional(files.get("special_tokens_map.json").as_ref())?,
    };
    tokenizer.bos = sources.bos(&tokenizer)?;
    tokenizer.eos = sources.eos(&tokenizer)?;
    tokenizer.chat_template = chat_template(files, sources.tokenizer.as_ref())?;
    Ok(tokenizer)
}

/// The files that say which tokens are special.
struct Sources<'a> {
    config: &'a Value,
    generation: Option<Value>,
    tokenizer: Option<Value>,
    names: Option<Value>,
}

impl Sources<'_> {
    /// What the tokenizer's own files say, else what the model's say.
    fn bos(&self, tokenizer: &Tokenizer) -> Result<Option<u32>> {
        if let Some(token) = self.named("bos_token", tokenizer) {
            return Ok(Some(token));
        }
        Ok(self.ids("bos_token_id", tokenizer)?.first().copied())
    }

    /// Every token that ends a text: those the model's files list, then the tokenizer's.
    fn eos(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let mut tokens = self.ids("eos_token_id", tokenizer)?;
        let named = self.named("eos_token", tokenizer);
        tokens.extend(named.filter(|token| !tokens.contains(token)));
        Ok(tokens)
    }

    /// The token that the tokenizer's files give for `field`, by its text.
    fn named(&self, field: &str, tokenizer: &Tokenizer) -> Option<u32> {
        let files = [&self.tokenizer, &self.names].into_iter().flatten();
        let values = files.filter_map(|file| file.get(field));
        let mut texts = values.filter_map(|value| value.get("content").unwrap_or(value).as_str());
        texts.find_map(|text| tokenizer.id(text))
    }

    /// The tokens that generation_config.json gives for `field`, else config.json.
    fn ids(&self, field: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let files = [self.generation.as_ref(), Some(self.config)].into_iter().flatten();
        let mut values = files.filter_map(|file| file.get(field)).filter(|value| !value.is_null());
        match values.next() {
            None => Ok(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(|id| token(field, id, tokenizer)).collect(),
            Some(id) => Ok(vec![token(field, id, tokenizer)?]),
        }
    }
}

/// A token id of a configuration, checked against the tokenizer.
fn token(field: &str, id: &Value, tokenizer: &Tokenizer) -> Result<u32> {
    let tokens = tokenizer.vocabulary();
    let known = id.as_u64().filter(|&id| id < tokens as u64);
    known.map(|id| id as u32).ok_or_else(|| {
        Error::config(field, format!("{id} found, a token of the tokenizer (0..{tokens}) expected"))
    })
}

/// chat_template.jinja, else the template in tokenizer_config.json (of several, the one named
/// "default").
fn chat_template(files: &Files, config: Option<&Value>) -> Result<Option<String>> {
    if let Some(file) = files.get("chat_template.jinja") {
        let text = String::from_utf8(file.read()?.into_owned());
        let problem = |_| Error::malformed(file.path(), "UTF-8 text expected");
        return text.map(Some).map_err(problem);
    }
    let template = match config.and_then(|config| config.get("chat_template")) {
        Some(Value::Array(named)) => {
            let default = |entry: &&Value| entry.get("name") == Some(&Value::from("default"));
            named.iter().find(default).and_then(|entry| entry.get("template"))
        }
        other => other,
    };
    Ok(template.and_then(Value::as_str).map(str::to_owned))
}
