//! Where calibration data comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Packing, Recipe};

/// Everything needed to say where a set's tokens come from and to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program that made the set.
    pub version: String,
    /// Name of the source.
    pub source: String,
    /// What was asked for, seed included.
    pub recipe: Recipe,
    /// How the windows were cut.
    pub packing: Packing,
    /// What stands between documents that share a window or a stream.
    pub separator: String,
    /// Special tokens inside the windows.
    pub special_tokens: String,
    /// Digest of the tokenizer ([`lm::Tokenizer::digest`]).
    pub tokenizer: String,
    /// Rows of the model's embedding: every token id is below it.
    pub vocabulary: usize,
    /// SHA-256 of the documents that were read, where text was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_digest: Option<String>,
    /// Digest of the model that wrote the text, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Arithmetic the model wrote in, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Documents read, or texts written.
    pub documents: usize,
    /// How many of them were left out, by reason.
    pub dropped: BTreeMap<String, usize>,
    /// What a reader should know of the draw.
    pub notes: Vec<String>,
    /// Where each sequence comes from, in the order of the sequences.
    pub origins: Vec<Origin>,
}

/// Where one sequence comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A window of all documents joined.
    Stream {
        /// Position of its first token in the stream.
        offset: usize,
    },
    /// A window within one document.
    Document {
        /// The document's number in reading order.
        document: usize,
        /// The file that holds it.
        file: String,
        /// Position of its first token in the document.
        offset: usize,
    },
}
