//! The tokens of a file and which of them are special.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::metadata::Metadata;
use crate::Result;

/// Key of the tokens.
const TOKENS: &str = "tokenizer.ggml.tokens";
/// Key of the tokens' types.
const TYPES: &str = "tokenizer.ggml.token_type";

/// The kinds of tokenizer that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Byte-level BPE, as GPT-2's.
    ByteLevel,
    /// BPE over characters with bytes to fall back on, as SentencePiece trains it for Llama.
    SentencePiece,
}

/// What a token is (`llama_token_type` of llama.cpp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// The tokens with a meaning, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpecialIds {
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    pub(crate) unknown: Option<u32>,
    pub(crate) pad: Option<u32>,
    /// Ends of a turn and of a message.
    ends: Vec<u32>,
}

impl SpecialIds {
    fn read(metadata: &Metadata<'_>, kind: Kind, tokens: usize) -> Result<Self> {
        let id = |name: &str, default: Option<u32>| -> Result<Option<u32>> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let Some(id) = metadata.whole(&key)? else {
                return Ok(default.filter(|id| (*id as usize) < tokens));
            };
            let within = u32::try_from(id).ok().filter(|id| (*id as usize) < tokens);
            let problem =
                || metadata.problem(&key, format!("{id} found, {tokens} tokens are there"));
            within.map(Some).ok_or_else(problem)
        };
        // SentencePiece's own order where the file does not say, as in llama.cpp.
        let default = |id| (kind == Kind::SentencePiece).then_some(id);
        let ends = [id("eot", None)?, id("eom", None)?];
        Ok(Self {
            bos: id("bos", default(1))?,
            eos: id("eos", default(2))?,
            unknown: id("unknown", default(0))?,
            pad: id("padding", None)?,
            ends: ends.into_iter().flatten().collect(),
        })
    }

    /// The tokens that end a text.
    pub(crate) fn eos(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.eos.into_iter().collect();
        for end in &self.ends {
            if !all.contains(end) {
                all.push(*end);
            }
        }
        all
    }

    /// The same as configurations state it: one number, or a list of several.
    pub(crate) fn eos_value(&self) -> Value {
        match self.eos()[..] {
            [] => Value::Null,
            [one] => json!(one),
            ref several => json!(several),
        }
    }

    fn named(&self, id: u32) -> bool {
        let named = [self.bos, self.eos, self.unknown, self.pad];
        named.contains(&Some(id)) || self.ends.contains(&id)
    }
}

/// The tokens of a file.
pub(super) struct Vocabulary<'a> {
    tokens: Vec<&'a str>,
    types: Vec<TokenType>,
    pub(super) ids: SpecialIds,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn read(metadata: &Metadata<'a>, kind: Kind) -> Result<Self> {
        let tokens = metadata.required(TOKENS, metadata.texts(TOKENS)?)?;
        if tokens.is_empty() || u32::try_from(tokens.len()).is_err() {
            return Err(metadata.problem(TOKENS, format!("{} tokens found", tokens.len())));
        }
        let mut seen = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = seen.insert(*token, id) {
                let problem = format!("{token:?} is both token {first} and token {id}");
                return Err(metadata.problem(TOKENS, problem));
            }
        }
        let types = types(metadata, tokens.len())?;
        let ids = SpecialIds::read(metadata, kind, tokens.len())?;
        Ok(Self { tokens, types, ids })
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The text of token `id`.
    pub(super) fn token(&self, id: u32) -> &'a str {
        self.tokens[id as usize]
    }

    /// Every token with its type, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, TokenType)> {
        self.tokens.iter().copied().zip(self.types.iter().copied())
    }

    /// The vocabulary of tokenizer.json.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let pairs = self.tokens.iter().enumerate();
        pairs.map(|(id, token)| ((*token).to_owned(), Value::from(id))).collect()
    }

    /// The tokens found in a text before it is split, and whether they are special.
    pub(super) fn added(&self) -> impl Iterator<Item = (u32, bool)> {
        let added = |(id, kind): (usize, &TokenType)| {
            let id = id as u32;
            match kind {
                TokenType::Control | TokenType::Unknown => Some((id, true)),
                _ if self.ids.named(id) => Some((id, true)),
                TokenType::UserDefined => Some((id, false)),
                _ => None,
            }
        };
        self.types.iter().enumerate().filter_map(added)
    }
}

fn types(metadata: &Metadata<'_>, tokens: usize) -> Result<Vec<TokenType>> {
    let Some(codes) = metadata.numbers(TYPES)? else {
        return Ok(vec![TokenType::Normal; tokens]);
    };
    if codes.len() != tokens {
        let problem = format!("{} types found for {tokens} tokens", codes.len());
        return Err(metadata.problem(TYPES, problem));
    }
    let read = |(id, code): (usize, f64)| {
        const TYPES_IN_ORDER: [TokenType; 6] = [
            TokenType::Normal,
            TokenType::Unknown,
            TokenType::Control,
            TokenType::UserDefined,
            TokenType::Unused,
            TokenType::Byte,
        ];
        let known = (1..=6).find(|known| f64::from(*known) == code);
        known.map(|known| TYPES_IN_ORDER[known as usize - 1]).ok_or_else(|| {
            metadata.problem(TYPES, format!("token {id} is of type {code}, 1 to 6 expected"))
        })
    };
    codes.into_iter().enumerate().map(read).collect()
}
