//! What calibration data is wanted.

use data::Split;
use lm::Spec;
use serde::{Deserialize, Serialize};

use crate::{Error, Packing, Result, SynthesisSettings};

/// Windows drawn unless told otherwise.
const SAMPLES: usize = 128;

/// Tokens in a window unless told otherwise, where the model's context allows it.
const LENGTH: usize = 2048;

/// What calibration data is wanted. Absent settings take the defaults named beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// `self` for text the model writes, `random` for random tokens, or the path of a text file, a JSONL file, a folder of
    /// them, or a saved calibration set (`.safetensors`).
    pub source: String,
    /// Number of sequences; 128, or all of a saved set.
    pub samples: Option<usize>,
    /// Tokens in each sequence; 2048 or the model's context if that is shorter, or the length of a
    /// saved set.
    pub length: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
    /// How windows are cut; by documents for JSONL files and folders, from one stream otherwise.
    pub packing: Option<Packing>,
    /// The field of a JSONL record that holds the text; found by its name when absent. With the
    /// source `self` it speaks of the prefix file.
    pub field: Option<String>,
    /// How a text file is cut into documents; the whole file is one when absent. With the source
    /// `self` it speaks of the prefix file.
    pub split: Option<Split>,
    /// How the model writes, where the source is `self`.
    pub synthesis: SynthesisSettings,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            source: "self".into(),
            samples: None,
            length: None,
            seed: 0,
            packing: None,
            field: None,
            split: None,
            synthesis: SynthesisSettings::default(),
        }
    }
}

/// Sizes of the windows with every default filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Number of sequences.
    pub(crate) samples: usize,
    /// Tokens in each.
    pub(crate) length: usize,
    /// Seed of the draws.
    pub(crate) seed: u64,
}

impl Recipe {
    /// The recipe for `source` with every other setting at its default.
    pub fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// The windows that are asked for, checked against the model.
    ///
    /// # Errors
    /// When there would be none, or one would be longer than the model's context.
    pub(crate) fn windows(&self, spec: &Spec) -> Result<Windows> {
        let samples = self.samples.unwrap_or(SAMPLES);
        if samples == 0 {
            return Err(Error::setting("samples", "at least 1 expected, 0 found"));
        }
        let length = self.length.unwrap_or(LENGTH.min(spec.context));
        if length < 2 || length > spec.context {
            return Err(Error::setting(
                "length",
                format!("2 to {} (the model's context) expected, {length} found", spec.context),
            ));
        }
        Ok(Windows { samples, length, seed: self.seed })
    }

    /// Refuses a setting that the source has no use for.
    pub(crate) fn refuse(&self, setting: &'static str, given: bool, source: &str) -> Result<()> {
        match given {
            false => Ok(()),
            true => Err(Error::setting(
                setting,
                format!("the source {:?} ({source}) has no use for it; leave it out", self.source),
            )),
        }
    }

    /// Refuses settings of self-generation for a source that is another.
    pub(crate) fn refuse_synthesis(&self, source: &str) -> Result<()> {
        self.refuse("synthesis", self.synthesis != SynthesisSettings::default(), source)
    }

    /// How files are read.
    pub(crate) fn reading(&self) -> data::Options {
        data::Options { field: self.field.clone(), split: self.split }
    }
}
