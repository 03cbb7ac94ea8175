//! The tokenizer of a file, rebuilt from its metadata as Hugging Face's files.

mod byte_level;
mod files;
mod sentencepiece;
mod splitting;
mod vocabulary;

use serde_json::{Value, json};

pub(super) use self::vocabulary::SpecialIds;
use self::vocabulary::{Kind, Vocabulary};
use super::{file_of, metadata::Metadata};
use crate::{Error, Result, Tokenizer};

/// A rebuilt tokenizer.
pub(super) struct Rebuilt {
    pub(super) tokenizer: Tokenizer,
    pub(super) ids: SpecialIds,
    /// The files of a checkpoint folder that describe it, by name.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
}

/// The parts of a tokenizer.json that depend on the kind of tokenizer.
struct Parts {
    normalizer: Value,
    pre_tokenizer: Value,
    model: Value,
    decoder: Value,
    /// Whether texts begin with the beginning-of-text token where the metadata does not say.
    adds_bos: bool,
}

/// What is put around a text.
#[derive(Clone, Copy)]
struct Around {
    bos: Option<u32>,
    eos: Option<u32>,
}

/// Rebuilds the tokenizer.
///
/// # Errors
/// When the metadata has none, one of an unknown kind, or one that contradicts itself.
pub(super) fn rebuild(metadata: &Metadata<'_>) -> Result<Rebuilt> {
    let kind = kind(metadata)?;
    let vocabulary = Vocabulary::read(metadata, kind)?;
    let parts = match kind {
        Kind::ByteLevel => byte_level::parts(metadata, &vocabulary)?,
        Kind::SentencePiece => sentencepiece::parts(metadata, &vocabulary)?,
    };
    let around = around(metadata, &vocabulary, &parts)?;
    let ids = vocabulary.ids.clone();
    // Loaded from the bytes that are written, so that a pruned checkpoint has the same digest.
    let bytes = file_of(&definition(&vocabulary, &parts, around));
    let mut tokenizer = Tokenizer::from_json(&bytes, ids.bos, ids.eos())?;
    tokenizer.chat_template = metadata.text(files::CHAT_TEMPLATE)?.map(str::to_owned);
    let described = files::around(metadata, &vocabulary, around)?;
    let described = described.into_iter().map(|(name, value)| (name, file_of(&value)));
    let files = described.chain([("tokenizer.json", bytes)]).collect();
    Ok(Rebuilt { tokenizer, ids, files })
}

fn kind(metadata: &Metadata<'_>) -> Result<Kind> {
    const KEY: &str = "tokenizer.ggml.model";
    match metadata.required(KEY, metadata.text(KEY)?)? {
        "gpt2" => Ok(Kind::ByteLevel),
        "llama" => Ok(Kind::SentencePiece),
        other => Err(Error::Unsupported {
            what: format!("the tokenizer {other:?} ({KEY})"),
            hint: "known: gpt2 (byte-level BPE) and llama (SentencePiece-style BPE)".into(),
        }),
    }
}

fn around(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>, parts: &Parts) -> Result<Around> {
    let wanted = |key: &str, default: bool, id: Option<u32>| -> Result<Option<u32>> {
        if !metadata.flag(key)?.unwrap_or(default) {
            return Ok(None);
        }
        let problem = || metadata.problem(key, "true, but the metadata names no such token");
        id.map(Some).ok_or_else(problem)
    };
    Ok(Around {
        bos: wanted("tokenizer.ggml.add_bos_token", parts.adds_bos, vocabulary.ids.bos)?,
        eos: wanted("tokenizer.ggml.add_eos_token", false, vocabulary.ids.eos)?,
    })
}

/// The contents of tokenizer.json.
fn definition(vocabulary: &Vocabulary<'_>, parts: &Parts, around: Around) -> Value {
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(vocabulary),
        "normalizer": parts.normalizer,
        "pre_tokenizer": parts.pre_tokenizer,
        "post_processor": post_processor(vocabulary, around),
        "decoder": parts.decoder,
        "model": parts.model,
    })
}

/// The tokens that are found in a text before it is split.
fn added_tokens(vocabulary: &Vocabulary<'_>) -> Vec<Value> {
    let added = vocabulary.added();
    let token = |(id, special): (u32, bool)| {
        json!({
            "id": id,
            "content": vocabulary.token(id),
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": special,
        })
    };
    added.map(token).collect()
}

/// The template that puts the wanted tokens around a text, or null.
fn post_processor(vocabulary: &Vocabulary<'_>, around: Around) -> Value {
    if around.bos.is_none() && around.eos.is_none() {
        return Value::Null;
    }
    let special =
        |id: u32, kind: u32| json!({"SpecialToken": {"id": vocabulary.token(id), "type_id": kind}});
    let one = |name: &str, kind: u32| {
        let text = json!({"Sequence": {"id": name, "type_id": kind}});
        let bos = around.bos.map(|id| special(id, kind));
        let eos = around.eos.map(|id| special(id, kind));
        bos.into_iter().chain([text]).chain(eos).collect::<Vec<_>>()
    };
    let tokens: serde_json::Map<_, _> = [around.bos, around.eos]
        .into_iter()
        .flatten()
        .map(|id| {
            let token = vocabulary.token(id);
            (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]}))
        })
        .collect();
    let pair = [one("A", 0), one("B", 1)].concat();
    json!({
        "type": "TemplateProcessing",
        "single": one("A", 0),
        "pair": pair,
        "special_tokens": tokens,
    })
}
