//! The published C4 draw, number by number.

use std::collections::BTreeMap;

use compute::Mersenne;
use lm::{Observer, Tokenizer};
use rayon::prelude::*;

use super::{Packed, document::none_long};
use crate::{Origin, Result, pool::Pool, recipe::Windows};

/// Documents that are tokenised at once in the hope that they are drawn.
const AHEAD: usize = 16;

/// Draws in a row without a long document after which all documents are looked at.
const PATIENCE: usize = 4096;

/// Draws as `get_c4` of the released pruning code does: `random.seed(seed)`; a document, drawn again
/// until it has more tokens than a window, special tokens included; a random crop of it.
///
/// # Errors
/// When no document is longer than a window, or the tokenizer fails.
pub(super) fn pack(
    documents: &Pool,
    tokenizer: &Tokenizer,
    windows: Windows,
    observer: &dyn Observer,
) -> Result<Packed> {
    let mut draw = Draw {
        length: windows.length,
        documents: documents.len(),
        random: Mersenne::new(windows.seed),
        counts: BTreeMap::new(),
    };
    let encode = |document: usize| -> Result<Vec<u32>> {
        observer.check()?;
        Ok(tokenizer.encode(&documents.text(document)?, true)?)
    };
    observer.started("drawing documents", windows.samples as u64);
    let mut packed = Packed { sequences: Vec::new(), origins: Vec::new(), notes: Vec::new() };
    for _ in 0..windows.samples {
        let (document, offset) = draw.sample(&encode)?;
        let tokens = encode(document)?;
        packed.sequences.push(tokens[offset..offset + windows.length].to_vec());
        packed.origins.push(Origin::Document {
            document: documents.number(document)?,
            file: documents.file(document).into(),
            offset,
        });
        observer.advanced(1);
    }
    observer.finished();
    Ok(packed)
}

/// A draw in progress.
struct Draw {
    length: usize,
    documents: usize,
    random: Mersenne,
    /// Tokens of the documents looked at so far.
    counts: BTreeMap<usize, usize>,
}

impl Draw {
    /// A document longer than a window and where to crop it.
    fn sample(
        &mut self,
        encode: &(impl Fn(usize) -> Result<Vec<u32>> + Sync),
    ) -> Result<(usize, usize)> {
        let mut refused = 0;
        loop {
            if refused == PATIENCE {
                self.count((0..self.documents).collect(), encode)?;
                if self.counts.values().all(|count| *count <= self.length) {
                    let counts: Vec<usize> = self.counts.values().copied().collect();
                    return Err(none_long(&counts, self.length, "reference"));
                }
            }
            let document = self.random.clone().below(self.documents as u64) as usize;
            if !self.counts.contains_key(&document) {
                self.count(self.ahead(), encode)?;
            }
            self.random.below(self.documents as u64);
            let count = self.counts[&document];
            if count > self.length {
                // The last place is never drawn: the published code's bound is one too low.
                let offset = self.random.below((count - self.length) as u64) as usize;
                return Ok((document, offset));
            }
            refused += 1;
        }
    }

    /// The documents that come next if none of them is long.
    fn ahead(&self) -> Vec<usize> {
        let mut random = self.random.clone();
        (0..AHEAD).map(|_| random.below(self.documents as u64) as usize).collect()
    }

    /// Counts the tokens of those of `documents` that are new.
    fn count(
        &mut self,
        mut documents: Vec<usize>,
        encode: &(impl Fn(usize) -> Result<Vec<u32>> + Sync),
    ) -> Result<()> {
        documents.sort_unstable();
        documents.dedup();
        documents.retain(|document| !self.counts.contains_key(document));
        let count = |&document: &usize| Ok((document, encode(document)?.len()));
        let counted = documents.par_iter().map(count).collect::<Result<Vec<_>>>()?;
        self.counts.extend(counted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn draws_are_those_of_the_published_loader() {
        let golden = include_str!("../../tests/goldens/c4_loader.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        let lengths: Vec<usize> =
            golden["lengths"].as_array().unwrap().iter().map(|n| number(n) as usize).collect();
        for case in golden["loader"].as_array().unwrap() {
            let mut draw = Draw {
                length: number(&case["length"]) as usize,
                documents: lengths.len(),
                random: Mersenne::new(number(&case["seed"])),
                counts: BTreeMap::new(),
            };
            let encode = |document: usize| Ok(vec![0; lengths[document]]);
            let draws = case["draws"].as_array().unwrap();
            assert_eq!(draws.len() as u64, number(&case["samples"]));
            for expected in draws {
                let (document, offset) = draw.sample(&encode).unwrap();
                let expected = (number(&expected[0]), number(&expected[1]));
                assert_eq!((document as u64, offset as u64), expected);
            }
        }
    }

    #[test]
    fn documents_that_are_all_short_are_refused_instead_of_drawn_for_ever() {
        let counts = BTreeMap::new();
        let mut draw = Draw { length: 8, documents: 5, random: Mersenne::new(0), counts };
        let message = draw.sample(&|_| Ok(vec![0; 8])).unwrap_err().to_string();
        assert!(message.contains("the longest of 5 documents: 8 tokens found"), "{message}");
        assert!(message.contains("packing `reference`"), "{message}");
    }
}
