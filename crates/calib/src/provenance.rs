//! Where calibration data comes from.

use std::collections::BTreeMap;

use lm::Model;
use serde::{Deserialize, Serialize};

use crate::{Packing, Recipe, filters::Dropped, selection::Selected};

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
    /// SHA-256 of the text that was read: the documents, or what prefixes were taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_digest: Option<String>,
    /// Digest of the model that wrote the text, where the one at hand did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Precision and kernels the model wrote with, where the one at hand did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Documents read, or texts written.
    pub documents: usize,
    /// How many of them were left out, by reason.
    pub dropped: BTreeMap<String, usize>,
    /// Which texts those were, and why: all where a model wrote them, else the first few of every
    /// filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_texts: Vec<Dropped>,
    /// Which sequences of a larger draw were kept, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selected>,
    /// What a reader should know of the draw.
    pub notes: Vec<String>,
    /// Where each sequence comes from, in the order of the sequences.
    pub origins: Vec<Origin>,
    /// What is known of the portions of a mixture; their origins stand above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Provenance>,
}

impl Provenance {
    /// What is known before anything is read or written: `source` makes windows for `model` by `recipe`.
    /// No separator, no special tokens, no documents, unless a source says so.
    pub(crate) fn of(source: &str, recipe: &Recipe, model: &Model) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            source: source.into(),
            recipe: recipe.clone(),
            packing: Packing::Stream,
            separator: "none".into(),
            special_tokens: "none".into(),
            tokenizer: model.checkpoint().tokenizer.digest().into(),
            vocabulary: model.spec().vocabulary,
            text_digest: None,
            model: None,
            precision: None,
            documents: 0,
            dropped: BTreeMap::new(),
            dropped_texts: Vec::new(),
            selection: None,
            notes: Vec::new(),
            origins: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// How many texts each filter left out, in words; nothing where none was.
    pub fn left_out(&self) -> Option<String> {
        let counts = self.dropped.iter().map(|(filter, count)| format!("{count} by {filter}"));
        let counts: Vec<String> = counts.collect();
        (!counts.is_empty()).then(|| format!("{} of {} texts", counts.join(", "), self.documents))
    }

    /// One text of every filter that left some out, those of the portions among them.
    pub fn examples(&self) -> Vec<&Dropped> {
        let all = self.parts.iter().chain([self]).flat_map(|one| &one.dropped_texts);
        let mut examples: Vec<&Dropped> = Vec::new();
        for one in all {
            if !examples.iter().any(|earlier| earlier.filter == one.filter) {
                examples.push(one);
            }
        }
        examples
    }
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
    /// Tokens drawn at random.
    Random {
        /// The number of the stream of random numbers.
        stream: u64,
    },
    /// A sequence of one portion of a mixture.
    Portion {
        /// The portion's number.
        part: usize,
        /// Where the sequence comes from within it.
        origin: Box<Origin>,
    },
    /// A window of texts that the model, or a server, wrote.
    Generated {
        /// The parts it is joined from, the separator between them.
        pieces: Vec<Piece>,
    },
}

/// A part of a text that the model, or a server, wrote.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// The text's number, which is also its stream of random numbers.
    pub text: u64,
    /// Position of the part's first token in the text, special tokens not counted.
    pub offset: usize,
    /// Tokens of the part.
    pub tokens: usize,
    /// Tokens at the beginning of the text that were given, not written.
    pub prefix: usize,
    /// Perplexity of what was written of the text, under the model that the set is made for.
    pub perplexity: f64,
}
