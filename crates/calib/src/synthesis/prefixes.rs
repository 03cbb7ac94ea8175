//! The text that prefixes are taken from.

use lm::Tokenizer;
use sha2::{Digest, Sha256};

use crate::packing::stream::SEPARATOR;
use crate::{Error, Recipe, Result, tokens};

/// Tokens to take prefixes from.
pub(crate) struct Prefixes {
    /// All documents of the file, joined and tokenised once.
    pub(crate) tokens: Vec<u32>,
    /// SHA-256 of their text.
    pub(crate) digest: String,
}

/// The tokens of the recipe's prefix file, where it names one.
///
/// # Errors
/// When the file cannot be read or has fewer tokens than a prefix.
pub(crate) fn prefixes(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Option<Prefixes>> {
    let Some(path) = &recipe.synthesis.prefix_file else {
        recipe.refuse("field", recipe.field.is_some(), "without prefix_file")?;
        recipe.refuse("split", recipe.split.is_some(), "without prefix_file")?;
        let skips = recipe.bad_records != data::BadRecords::default();
        recipe.refuse("bad_records", skips, "without prefix_file")?;
        return Ok(None);
    };
    let documents = data::open(path, &recipe.reading())?.collect::<data::Result<Vec<_>>>()?;
    let texts: Vec<String> = documents.into_iter().map(|document| document.text).collect();
    let text = texts.join(SEPARATOR);
    let tokens = tokens::encode(tokenizer, &text)?;
    let needed = recipe.synthesis.prefix();
    if tokens.len() < needed {
        return Err(Error::TooShort {
            what: path.display().to_string(),
            found: tokens.len(),
            needed,
            hint: "give more text to take prefixes from".into(),
        });
    }
    Ok(Some(Prefixes { tokens, digest: format!("{:x}", Sha256::digest(text)) }))
}
