//! The text that prefixes are taken from.

use compute::{Stream, mix};
use lm::{Observer, Tokenizer};
use sha2::{Digest, Sha256};

use crate::packing::stream::SEPARATOR;
use crate::tokens::{Encoder, Tokens};
use crate::{Error, Recipe, Result};

/// Keys the places of prefixes apart from the draws of tokens.
const PLACES: u64 = 0x7072_6566_6978;

/// A text to take prefixes from; memory does not grow with it.
pub struct Prefixes {
    /// All documents of the file, joined and tokenised once.
    tokens: Tokens,
    /// SHA-256 of their text.
    pub(crate) digest: String,
}

impl Prefixes {
    /// The prefix of text `stream`: `length` tokens from a place of the file, every place equally often.
    pub(crate) fn draw(&self, seed: u64, stream: u64, length: usize) -> Result<Vec<u32>> {
        let places = Stream::new(mix(seed ^ PLACES), stream);
        let place = places.below(0, (self.tokens.len() - length + 1) as u64);
        self.tokens.window(place as usize, length)
    }

    /// Reads `documents` one at a time.
    fn of(
        documents: impl Iterator<Item = data::Result<data::Document>>,
        tokenizer: &Tokenizer,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let (mut encoder, mut digest) = (Encoder::new(tokenizer), Sha256::new());
        let mut add = |text: &str| {
            digest.update(text);
            encoder.push(text)
        };
        for (index, document) in documents.enumerate() {
            observer.check()?;
            if index > 0 {
                add(SEPARATOR)?;
            }
            add(&document?.text)?;
        }
        Ok(Self { tokens: encoder.finish()?, digest: format!("{:x}", digest.finalize()) })
    }
}

/// The recipe's prefix file, where it names one.
///
/// # Errors
/// When the file cannot be read or has fewer tokens than a prefix.
pub(crate) fn prefixes(
    recipe: &Recipe,
    tokenizer: &Tokenizer,
    observer: &dyn Observer,
) -> Result<Option<Prefixes>> {
    let Some(path) = &recipe.synthesis.prefix_file else {
        recipe.refuse("field", recipe.field.is_some(), "without prefix_file")?;
        recipe.refuse("split", recipe.split.is_some(), "without prefix_file")?;
        recipe.refuse("documents", recipe.documents.is_some(), "without prefix_file")?;
        let skips = recipe.bad_records != data::BadRecords::default();
        recipe.refuse("bad_records", skips, "without prefix_file")?;
        return Ok(None);
    };
    let documents = data::open(path, &recipe.reading())?.take(recipe.most_documents()?);
    let prefixes = Prefixes::of(documents, tokenizer, observer)?;
    let (found, needed) = (prefixes.tokens.len(), recipe.synthesis.prefix());
    if found < needed {
        return Err(Error::TooShort {
            what: path.display().to_string(),
            found,
            needed,
            hint: "give more text to take prefixes from".into(),
        });
    }
    Ok(Some(prefixes))
}
