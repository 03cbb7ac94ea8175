//! SentencePiece-style BPE: scores in place of merges, spaces written as ▁, bytes to fall back on.
//!
//! Source: `LlamaConverter` and `generate_merges` of `transformers`.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::Parts;
use super::vocabulary::{TokenType, Vocabulary};
use crate::Result;

/// The character that stands for a space.
const SPACE: &str = "▁";
/// Key of the scores.
const SCORES: &str = "tokenizer.ggml.scores";
/// The longest token, in bytes; SentencePiece's default is 16 characters.
const LONGEST: usize = 1024;

/// The parts of tokenizer.json.
pub(super) fn parts(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Parts> {
    let prefix = metadata.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let collapse = metadata.flag("tokenizer.ggml.remove_extra_whitespaces")?.unwrap_or(false);
    let model = json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": vocabulary.ids.unknown.map(|id| vocabulary.token(id)),
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": true,
        "byte_fallback": true,
        "ignore_merges": false,
        "vocab": vocabulary.to_json(),
        "merges": merges(metadata, vocabulary)?,
    });
    Ok(Parts {
        normalizer: normalizer(prefix, collapse),
        pre_tokenizer: Value::Null,
        model,
        decoder: decoder(prefix),
        adds_bos: true,
    })
}

fn normalizer(prefix: bool, collapse: bool) -> Value {
    let mut steps = Vec::new();
    if collapse {
        let replace = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
        steps.extend([replace(" {2,}", " "), replace(r"\A +| +\z", "")]);
    }
    if prefix {
        steps.push(json!({"type": "Prepend", "prepend": SPACE}));
    }
    steps.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE}));
    json!({"type": "Sequence", "normalizers": steps})
}

fn decoder(prefix: bool) -> Value {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": steps})
}

/// A way to build a token from two others.
struct Merge<'a> {
    score: f64,
    left: &'a str,
    right: &'a str,
}

impl Merge<'_> {
    /// Best score first, then the longer left part, then the longer right part.
    fn order(&self, other: &Self) -> Ordering {
        let lengths = |merge: &Self| (merge.left.chars().count(), merge.right.chars().count());
        other.score.total_cmp(&self.score).then_with(|| lengths(other).cmp(&lengths(self)))
    }
}

/// Every pair of tokens that makes a token, in the order in which the scores merge them.
fn merges(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Vec<Value>> {
    let scores = scores(metadata, vocabulary)?;
    // Control, byte and user-defined tokens take no part in merging.
    let normal = vocabulary.iter().enumerate().filter(|(_, (_, kind))| *kind == TokenType::Normal);
    let ids: HashMap<&str, usize> = normal.map(|(id, (token, _))| (token, id)).collect();
    let mut merges = Vec::new();
    for (id, (token, kind)) in vocabulary.iter().enumerate() {
        if kind == TokenType::Normal {
            merges.extend(splits(token, scores[id], &ids));
        }
    }
    merges.sort_by(Merge::order);
    Ok(merges.iter().map(|merge| json!([merge.left, merge.right])).collect())
}

/// The pairs of tokens that make `token`, by their ids.
fn splits<'a>(token: &'a str, score: f64, ids: &HashMap<&str, usize>) -> Vec<Merge<'a>> {
    let places = token.char_indices().skip(1).map(|(place, _)| place);
    let mut found: Vec<_> = places
        .filter_map(|place| {
            let (left, right) = token.split_at(place);
            let order = (*ids.get(left)?, *ids.get(right)?);
            Some((order, Merge { score, left, right }))
        })
        .collect();
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, merge)| merge).collect()
}

fn scores(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Vec<f64>> {
    let scores = metadata.required(SCORES, metadata.numbers(SCORES)?)?;
    if scores.len() != vocabulary.len() {
        let problem = format!("{} scores found for {} tokens", scores.len(), vocabulary.len());
        return Err(metadata.problem(SCORES, problem));
    }
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(metadata.problem(SCORES, format!("the score of token {id} is not a number")));
    }
    if let Some(id) = vocabulary.iter().position(|(token, _)| token.len() > LONGEST) {
        let problem = format!("token {id} is longer than {LONGEST} bytes");
        return Err(metadata.problem("tokenizer.ggml.tokens", problem));
    }
    Ok(scores)
}
