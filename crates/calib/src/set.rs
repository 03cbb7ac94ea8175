//! Token sequences with their provenance.

use lm::Tokenizer;
use sha2::{Digest, Sha256};

use crate::{Error, Provenance, Result};

/// Token sequences a model is measured on, and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationSet {
    /// Token ids, one sequence each.
    pub sequences: Vec<Vec<u32>>,
    /// Where they come from.
    pub provenance: Provenance,
}

impl CalibrationSet {
    /// A set that has been checked.
    ///
    /// # Errors
    /// When there is no sequence, one is empty, a token id is outside the vocabulary, or the
    /// provenance speaks of another number of sequences.
    pub fn new(sequences: Vec<Vec<u32>>, provenance: Provenance) -> Result<Self> {
        let set = Self { sequences, provenance };
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        let (sequences, origins) = (self.sequences.len(), self.provenance.origins.len());
        if sequences == 0 {
            return Err(Error::Set("it has no sequences".into()));
        }
        if origins != sequences {
            return Err(Error::Set(format!("{sequences} sequences, {origins} origins")));
        }
        let vocabulary = self.provenance.vocabulary;
        for (index, sequence) in self.sequences.iter().enumerate() {
            if sequence.is_empty() {
                return Err(Error::Set(format!("sequence {index} is empty")));
            }
            if let Some(token) = sequence.iter().find(|token| **token as usize >= vocabulary) {
                return Err(Error::Set(format!(
                    "sequence {index}: token {token} found, the vocabulary has {vocabulary}"
                )));
            }
        }
        Ok(())
    }

    /// Tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(Vec::len).sum()
    }

    /// The length all sequences share, `None` where they differ.
    pub fn length(&self) -> Option<usize> {
        let length = self.sequences.first()?.len();
        self.sequences.iter().all(|sequence| sequence.len() == length).then_some(length)
    }

    /// SHA-256 of the token ids, in hexadecimal: equal digests mean equal sequences.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new_with_prefix("secateur calibration tokens\n");
        for sequence in &self.sequences {
            digest.update((sequence.len() as u64).to_le_bytes());
            for token in sequence {
                digest.update(token.to_le_bytes());
            }
        }
        format!("{:x}", digest.finalize())
    }

    /// Refuses a set whose token ids were made by another tokenizer.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn check_tokenizer(&self, tokenizer: &Tokenizer) -> Result<()> {
        let what = format!("the calibration set of {:?}", self.provenance.recipe.source);
        self.check_tokenizer_as(&what, tokenizer)
    }

    /// The same; `what` names the set in the error.
    pub(crate) fn check_tokenizer_as(&self, what: &str, tokenizer: &Tokenizer) -> Result<()> {
        if self.provenance.tokenizer == tokenizer.digest() {
            return Ok(());
        }
        Err(Error::Tokenizer {
            what: what.into(),
            expected: self.provenance.tokenizer.clone(),
            found: tokenizer.digest().into(),
        })
    }

    /// The set of the sequences at `places`, one at least.
    pub(crate) fn keep(mut self, places: &[usize]) -> Self {
        self.sequences = places.iter().map(|&place| self.sequences[place].clone()).collect();
        let origins = &self.provenance.origins;
        self.provenance.origins = places.iter().map(|&place| origins[place].clone()).collect();
        self
    }

    /// The set of the first `samples` sequences.
    ///
    /// # Errors
    /// When there are not so many, or none is asked for.
    pub fn first(mut self, samples: usize) -> Result<Self> {
        let found = self.sequences.len();
        if samples == 0 || samples > found {
            let problem = format!("1 to {found} (what the set holds) expected, {samples} found");
            return Err(Error::setting("samples", problem));
        }
        self.sequences.truncate(samples);
        self.provenance.origins.truncate(samples);
        Ok(self)
    }
}
