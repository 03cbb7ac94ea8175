//! Documents as sequences of their own.

use compute::{Stream, mix};
use lm::{Observer, Tokenizer};
use rayon::prelude::*;

use super::Packed;
use crate::{Error, Origin, Result, pool::Pool, recipe::Windows};

/// Keys the order of documents apart from other draws.
const ORDER: u64 = 0x006f_7264_6572;

/// Documents that are tokenised at once.
const BATCH: usize = 64;

/// Takes documents in random order, each once, and cuts them at the window's length. A sequence has
/// at least two tokens: with one there is nothing to predict.
///
/// # Errors
/// When there are fewer documents than sequences, or the tokenizer fails.
pub(super) fn pack(
    (documents, what): (&Pool, &str),
    tokenizer: &Tokenizer,
    windows: Windows,
    observer: &dyn Observer,
) -> Result<Packed> {
    let mut packed = Packed { sequences: Vec::new(), origins: Vec::new(), notes: Vec::new() };
    observer.started("drawing documents", windows.samples as u64);
    for batch in order(documents.len(), windows.seed).chunks(BATCH) {
        observer.check()?;
        let encode = |&document: &usize| -> Result<_> {
            Ok((document, tokenizer.encode(&documents.text(document)?, false)?))
        };
        let encoded = batch.par_iter().map(encode).collect::<Result<Vec<_>>>()?;
        for (document, mut tokens) in encoded {
            if packed.sequences.len() == windows.samples {
                observer.finished();
                return Ok(packed);
            }
            if tokens.len() < 2 {
                continue;
            }
            tokens.truncate(windows.length);
            packed.sequences.push(tokens);
            packed.origins.push(Origin::Document {
                document: documents.number(document)?,
                file: documents.file(document).into(),
                offset: 0,
            });
            observer.advanced(1);
        }
    }
    observer.finished();
    match packed.sequences.len() {
        found if found == windows.samples => Ok(packed),
        found => Err(Error::TooFew { what: what.into(), found, needed: windows.samples }),
    }
}

/// The documents in random order; every order is as probable as any other.
fn order(documents: usize, seed: u64) -> Vec<usize> {
    let random = Stream::new(mix(seed ^ ORDER), 0);
    let mut order: Vec<usize> = (0..documents).collect();
    for last in (1..documents).rev() {
        order.swap(last, random.below(last as u64, last as u64 + 1) as usize);
    }
    order
}
