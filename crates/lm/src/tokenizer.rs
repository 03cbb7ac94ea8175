//! The tokenizer of a checkpoint.

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// A tokenizer with the special tokens a language model needs.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The token a text begins with, where the model has one.
    pub bos: Option<u32>,
    /// The tokens that end a text.
    pub eos: Vec<u32>,
    /// The Jinja chat template, where the checkpoint has one.
    pub chat_template: Option<String>,
    digest: String,
}

impl Tokenizer {
    /// Loads a tokenizer from the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// When the bytes are not a tokenizer.
    pub fn from_json(json: &[u8], bos: Option<u32>, eos: Vec<u32>) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|error| Error::Tokenizer(format!("tokenizer.json: {error}")))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let digest = format!("{:x}", Sha256::digest(json));
        Ok(Self { inner, bos, eos, chat_template: None, digest })
    }

    /// Token ids of `text`; with `special`, the tokens the tokenizer adds by default around a text
    /// (often a beginning-of-text token).
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, special);
        encoding
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|e| Error::Tokenizer(e.to_string()))
    }

    /// The text of `tokens`; special tokens are left out unless `special`.
    ///
    /// # Errors
    /// When a token is unknown to the tokenizer.
    pub fn decode(&self, tokens: &[u32], special: bool) -> Result<String> {
        self.inner.decode(tokens, !special).map_err(|error| Error::Tokenizer(error.to_string()))
    }

    /// The id of the token whose text is exactly `token`, a special token among them.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest token id the tokenizer can produce.
    pub fn vocabulary(&self) -> usize {
        let ids = self.inner.get_vocab(true).into_values();
        ids.max().map_or(0, |largest| largest as usize + 1)
    }

    /// SHA-256 of the tokenizer's definition: equal digests mean equal token ids.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}
