//! Byte-level BPE, as GPT-2's: merges in order, texts split by a named rule.

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::vocabulary::Vocabulary;
use super::{Parts, splitting};
use crate::Result;

/// Key of the merges.
const MERGES: &str = "tokenizer.ggml.merges";

/// The parts of tokenizer.json. `add_space_prefix` is no part of it: as in llama.cpp, it applies
/// to SentencePiece-style tokenizers alone.
pub(super) fn parts(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Parts> {
    let splitting = splitting::named(metadata)?;
    let model = json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": null,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": false,
        "byte_fallback": false,
        "ignore_merges": splitting.whole_words_first,
        "vocab": vocabulary.to_json(),
        "merges": merges(metadata)?,
    });
    Ok(Parts {
        normalizer: splitting.normalizer(),
        pre_tokenizer: splitting.pre_tokenizer(),
        model,
        decoder: splitting::byte_level(),
        adds_bos: splitting.adds_bos,
    })
}

/// The merges, each two tokens with a space between; a space within a token is written as Ġ.
fn merges(metadata: &Metadata<'_>) -> Result<Vec<Value>> {
    let merges = metadata.required(MERGES, metadata.texts(MERGES)?)?;
    let pair = |(index, merge): (usize, &str)| {
        let pair = merge
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '));
        let problem = || {
            let problem = format!("merge {index} is {merge:?}; two tokens and a space expected");
            metadata.problem(MERGES, problem)
        };
        pair.map(|(left, right)| json!([left, right])).ok_or_else(problem)
    };
    merges.into_iter().enumerate().map(pair).collect()
}
