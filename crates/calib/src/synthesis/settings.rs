//! Parameters of self-generation.

use std::path::PathBuf;

use lm::generation::Sampling;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Tokens of a prefix unless told otherwise.
const PREFIX_TOKENS: usize = 4;

/// How a model writes its calibration data; the defaults are those of Ji et al., ICLR 2025.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesisSettings {
    /// Name of the strategy.
    pub strategy: String,
    /// Text that prefixes are taken from; without one, every text begins with the model's
    /// beginning-of-text token alone.
    pub prefix_file: Option<PathBuf>,
    /// Tokens of a prefix; 4 unless told otherwise. Needs `prefix_file`.
    pub prefix_tokens: Option<usize>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Share of the texts that is dropped because the model itself finds them least probable.
    pub drop_share: f64,
    /// Which texts repeat themselves too much to be kept.
    pub repetition: Repetition,
}

/// Which texts repeat themselves too much to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Repetition {
    /// Tokens in a run that is looked for again.
    pub ngram: usize,
    /// Share of a text's runs that may have occurred in it before.
    pub share: f64,
}

impl Default for Repetition {
    fn default() -> Self {
        Self { ngram: 8, share: 0.2 }
    }
}

impl Default for SynthesisSettings {
    fn default() -> Self {
        Self {
            strategy: "continuation".into(),
            prefix_file: None,
            prefix_tokens: None,
            sampling: Sampling::default(),
            drop_share: 0.2,
            repetition: Repetition::default(),
        }
    }
}

impl SynthesisSettings {
    /// Tokens of a prefix; none without a file to take them from.
    pub fn prefix(&self) -> usize {
        self.prefix_file.as_ref().map_or(0, |_| self.prefix_tokens.unwrap_or(PREFIX_TOKENS))
    }

    /// Checks every parameter for texts of `length` tokens.
    ///
    /// # Errors
    /// When one is outside its range; the error names it.
    pub(crate) fn validate(&self, length: usize) -> Result<()> {
        self.sampling.validate()?;
        if self.prefix_tokens.is_some() && self.prefix_file.is_none() {
            let problem = "without prefix_file there is nothing to take a prefix from";
            return Err(Error::setting("prefix_tokens", problem));
        }
        if self.prefix_file.is_some() && !(1..length).contains(&self.prefix()) {
            let most = length - 1;
            let problem = format!("1 to {most} (length − 1) expected, {} found", self.prefix());
            return Err(Error::setting("prefix_tokens", problem));
        }
        if !(0.0..=0.9).contains(&self.drop_share) {
            let problem = format!("0 to 0.9 expected, {} found", self.drop_share);
            return Err(Error::setting("drop_share", problem));
        }
        let Repetition { ngram, share } = self.repetition;
        if ngram == 0 || !(0.0..=1.0).contains(&share) {
            let problem = format!(
                "an ngram of at least 1 and a share of 0 to 1 expected, {ngram} and {share} found"
            );
            return Err(Error::setting("repetition", problem));
        }
        Ok(())
    }
}
