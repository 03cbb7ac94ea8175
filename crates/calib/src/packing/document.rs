//! Random crops of random documents.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use compute::Stream;
use lm::{Observer, Tokenizer};
use rayon::prelude::*;

use super::Packed;
use crate::{Error, Origin, Result, pool::Pool, recipe::Windows};

/// Draws of a sample before the lengths of all documents are found out: while long documents are
/// common, only drawn documents are tokenised.
const QUICK_DRAWS: u64 = 32;

/// Draws documents at random, redraws until one is longer than the window, and crops it at random.
///
/// # Errors
/// When no document is longer than a window, or the tokenizer fails.
pub(crate) fn pack(
    documents: &Pool,
    tokenizer: &Tokenizer,
    windows: Windows,
    observer: &dyn Observer,
) -> Result<Packed> {
    let draw = Draw { documents, tokenizer, windows, observer, long: OnceLock::new() };
    observer.started("drawing documents", windows.samples as u64);
    let sample = |sample| {
        let drawn = draw.sample(sample);
        observer.advanced(1);
        drawn
    };
    let drawn = (0..windows.samples).into_par_iter().map(sample).collect::<Result<Vec<_>>>()?;
    observer.finished();
    let used: BTreeSet<usize> = drawn.iter().map(|crop| crop.document).collect();
    let mut notes = Vec::new();
    if used.len() * 2 < windows.samples {
        notes.push(format!(
            "{} windows come from only {} of {} documents: few are longer than {} tokens; the \
             packing `stream` would use all of them",
            windows.samples,
            used.len(),
            documents.len(),
            windows.length
        ));
    }
    let origin = |crop: &Crop| -> Result<Origin> {
        Ok(Origin::Document {
            document: documents.number(crop.document)?,
            file: documents.file(crop.document).into(),
            offset: crop.offset,
        })
    };
    let origins = drawn.iter().map(origin).collect::<Result<_>>()?;
    Ok(Packed { sequences: drawn.into_iter().map(|crop| crop.tokens).collect(), origins, notes })
}

/// A draw in progress; every sample has random numbers of its own.
struct Draw<'a> {
    documents: &'a Pool,
    tokenizer: &'a Tokenizer,
    windows: Windows,
    observer: &'a dyn Observer,
    /// The documents longer than a window, once that had to be found out.
    long: OnceLock<Vec<usize>>,
}

/// A window of one document.
struct Crop {
    document: usize,
    offset: usize,
    tokens: Vec<u32>,
}

impl Draw<'_> {
    fn sample(&self, sample: usize) -> Result<Crop> {
        let random = Stream::new(self.windows.seed, sample as u64);
        for draw in 0..QUICK_DRAWS {
            self.observer.check()?;
            let document = random.below(draw + 1, self.documents.len() as u64) as usize;
            if let Some(crop) = self.crop(document, &random)? {
                return Ok(crop);
            }
        }
        // Redrawing until a document is long enough is drawing among those that are.
        let long = self.long_documents()?;
        let document = long[random.below(QUICK_DRAWS + 1, long.len() as u64) as usize];
        let crop = self.crop(document, &random)?;
        Ok(crop.expect("a document known to be long is long"))
    }

    /// A random window of a document, where it is longer than one.
    fn crop(&self, document: usize, random: &Stream) -> Result<Option<Crop>> {
        let tokens = self.tokenizer.encode(&self.documents.text(document)?, false)?;
        let length = self.windows.length;
        if tokens.len() <= length {
            return Ok(None);
        }
        // As in the published draw, the last place is not used.
        let offset = random.below(0, (tokens.len() - length) as u64) as usize;
        let tokens = tokens[offset..offset + length].to_vec();
        Ok(Some(Crop { document, offset, tokens }))
    }

    /// The documents longer than a window; at least one.
    fn long_documents(&self) -> Result<&[usize]> {
        if self.long.get().is_none() {
            // Threads that come here at once find the same.
            let _ = self.long.set(self.find_long_documents()?);
        }
        Ok(self.long.get().expect("it was just set"))
    }

    fn find_long_documents(&self) -> Result<Vec<usize>> {
        let count = |document| -> Result<usize> {
            self.observer.check()?;
            Ok(self.tokenizer.encode(&self.documents.text(document)?, false)?.len())
        };
        let all = (0..self.documents.len()).into_par_iter();
        let counts = all.map(count).collect::<Result<Vec<_>>>()?;
        let long = |index: &usize| counts[*index] > self.windows.length;
        let found: Vec<usize> = (0..counts.len()).filter(long).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        Err(none_long(&counts, self.windows.length, "document"))
    }
}

/// None of the documents, of so many tokens each, is longer than a window of `length`.
pub(super) fn none_long(counts: &[usize], length: usize, packing: &str) -> Error {
    let (total, longest) = (counts.iter().sum::<usize>(), counts.iter().max());
    Error::TooShort {
        what: format!("the longest of {} documents", counts.len()),
        found: longest.copied().unwrap_or(0),
        needed: length + 1,
        hint: format!(
            "packing `{packing}` uses documents longer than a window alone; choose the packing \
             `stream` ({total} tokens in all documents), a smaller length, or longer documents"
        ),
    }
}
