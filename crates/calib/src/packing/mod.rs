//! How text becomes windows of equal length.

mod document;
mod reference;
pub(crate) mod stream;
mod whole;

use std::{fmt, str::FromStr};

use lm::{Observer, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::{Error, Origin, Result, pool::Pool, recipe::Windows};

/// How text becomes windows of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// All documents joined, tokenised once, windows at random places: what published code does
    /// with WikiText. Windows may overlap and may cross from one document into the next.
    Stream,
    /// A random document, redrawn until it is longer than the window, and a random crop of it: what
    /// published code does with C4. Windows never cross documents; short documents are never used.
    Document,
    /// The published C4 draw number by number, special tokens and Python's random numbers included
    /// (`get_c4` of SparseGPT and Wanda): with the same documents, tokenizer and seed the sequences
    /// are those of the published runs.
    Reference,
    /// Every document is a sequence of its own, cut at the length; no document is drawn twice and
    /// nothing is padded. For short documents such as instructions and problems.
    Whole,
}

impl Packing {
    /// Every packing.
    pub const ALL: [Packing; 4] =
        [Packing::Stream, Packing::Document, Packing::Reference, Packing::Whole];

    /// The name users give.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Stream => "stream",
            Packing::Document => "document",
            Packing::Reference => "reference",
            Packing::Whole => "whole",
        }
    }

    /// What it does, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Packing::Stream => "join all documents, tokenise once, cut windows at random places",
            Packing::Document => "draw documents longer than the window, crop each at random",
            Packing::Reference => {
                "the published C4 draw, bit by bit: Python's random numbers, special tokens included"
            }
            Packing::Whole => "every sequence a whole document, cut at the length; lengths differ",
        }
    }

    /// What stands between documents, for people.
    pub(crate) fn separator(self) -> String {
        match self {
            Packing::Stream => format!("{:?}", stream::SEPARATOR),
            _ => "sequences never cross documents".into(),
        }
    }

    /// Special tokens inside the sequences, for people.
    pub(crate) fn special_tokens(self) -> &'static str {
        match self {
            Packing::Reference => "those the tokenizer adds around a document",
            _ => "none but those that the texts spell out",
        }
    }

    /// Cuts sequences from `documents`; `what` names them in messages. The first sequences of a
    /// larger draw are those of a smaller one.
    ///
    /// # Errors
    /// When the documents do not hold enough, or the tokenizer fails.
    pub(crate) fn pack(
        self,
        (documents, what): (&Pool, &str),
        tokenizer: &Tokenizer,
        windows: Windows,
        observer: &dyn Observer,
    ) -> Result<Packed> {
        match self {
            Packing::Stream => {
                stream::of_documents((documents, what), tokenizer, windows, observer)
            }
            Packing::Document => document::pack(documents, tokenizer, windows, observer),
            Packing::Reference => reference::pack(documents, tokenizer, windows, observer),
            Packing::Whole => whole::pack((documents, what), tokenizer, windows, observer),
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Packing {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let find = Packing::ALL.into_iter().find(|packing| packing.name() == name);
        find.ok_or_else(|| Error::Unknown {
            kind: "packing",
            name: name.into(),
            known: Packing::ALL.map(Packing::name).join(", "),
        })
    }
}

/// Windows with what is to be said of them.
pub(crate) struct Packed {
    /// Token ids.
    pub(crate) sequences: Vec<Vec<u32>>,
    /// Where each comes from.
    pub(crate) origins: Vec<Origin>,
    /// What a reader should know of the draw.
    pub(crate) notes: Vec<String>,
}

impl Packed {
    /// Leaves only the sequences at `indices`.
    pub(crate) fn choose(&mut self, indices: &[usize]) {
        self.sequences = indices.iter().map(|&index| self.sequences[index].clone()).collect();
        self.origins = indices.iter().map(|&index| self.origins[index].clone()).collect();
    }
}
