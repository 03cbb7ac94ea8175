//! The rules by which byte-level tokenizers split a text before they merge.
//!
//! A GGUF file names its rule (`tokenizer.ggml.pre`); the rules are those of the tokenizer.json
//! files the names stand for, and of `llama-vocab.cpp` in llama.cpp.

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use crate::{Error, Result};

/// GPT-2's rule.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's rule: numbers in groups of three digits.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2's rule: digits one by one.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Key of the rule's name.
const KEY: &str = "tokenizer.ggml.pre";

/// How texts are split.
pub(super) struct Splitting {
    /// Its names in GGUF files.
    names: &'static [&'static str],
    /// Unicode normalization before all.
    nfc: bool,
    /// Regular expressions, one after the other; each match becomes a piece, and so does what
    /// lies between.
    steps: &'static [&'static str],
    /// A piece that is a token as a whole is not built from merges.
    pub(super) whole_words_first: bool,
    /// Whether texts begin with the beginning-of-text token where the metadata does not say.
    pub(super) adds_bos: bool,
}

/// Every rule that is known.
const SPLITTINGS: &[Splitting] = &[
    Splitting {
        names: &["gpt-2"],
        nfc: false,
        steps: &[GPT2],
        whole_words_first: false,
        adds_bos: false,
    },
    Splitting {
        names: &["default"],
        nfc: false,
        steps: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        whole_words_first: false,
        adds_bos: false,
    },
    Splitting {
        names: &["smollm", "starcoder", "refact", "command-r"],
        nfc: false,
        steps: &[r"\p{N}", GPT2],
        whole_words_first: false,
        adds_bos: false,
    },
    Splitting {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3"],
        nfc: false,
        steps: &[LLAMA3],
        whole_words_first: true,
        adds_bos: true,
    },
    Splitting {
        names: &["dbrx", "smaug-bpe"],
        nfc: false,
        steps: &[LLAMA3],
        whole_words_first: false,
        adds_bos: false,
    },
    Splitting {
        names: &["qwen2", "deepseek-r1-qwen"],
        nfc: true,
        steps: &[QWEN2],
        whole_words_first: false,
        adds_bos: false,
    },
];

/// The rule that the metadata names.
pub(super) fn named(metadata: &Metadata<'_>) -> Result<&'static Splitting> {
    let Some(name) = metadata.text(KEY)? else {
        return Err(metadata.problem(
            KEY,
            "missing, and no text can be split without it; convert the original checkpoint again \
             with a current converter",
        ));
    };
    let found = SPLITTINGS.iter().find(|splitting| splitting.names.contains(&name));
    found.ok_or_else(|| {
        let known: Vec<_> = SPLITTINGS.iter().flat_map(|splitting| splitting.names).collect();
        let known: Vec<_> = known.into_iter().copied().collect();
        Error::Unsupported {
            what: format!("the pre-tokenizer {name:?} ({KEY})"),
            hint: format!(
                "known: {}; or prune the original checkpoint, which brings its tokenizer.json",
                known.join(", ")
            ),
        }
    })
}

impl Splitting {
    pub(super) fn normalizer(&self) -> Value {
        if self.nfc { json!({"type": "NFC"}) } else { Value::Null }
    }

    pub(super) fn pre_tokenizer(&self) -> Value {
        let split = |step: &&str| {
            json!({
                "type": "Split",
                "pattern": {"Regex": step},
                "behavior": "Isolated",
                "invert": false,
            })
        };
        let steps = self.steps.iter().map(split).chain([byte_level()]);
        json!({"type": "Sequence", "pretokenizers": steps.collect::<Vec<_>>()})
    }
}

/// The stage that writes bytes as printable characters, and reads them back when decoding.
pub(super) fn byte_level() -> Value {
    json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": true,
        "use_regex": false,
    })
}
