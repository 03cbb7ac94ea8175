//! How text becomes windows of equal length.

pub(crate) mod document;
pub(crate) mod stream;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Origin};

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
}

impl Packing {
    /// Every packing.
    pub const ALL: [Packing; 2] = [Packing::Stream, Packing::Document];

    /// The name users give.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Stream => "stream",
            Packing::Document => "document",
        }
    }

    /// What it does, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Packing::Stream => "join all documents, tokenise once, cut windows at random places",
            Packing::Document => "draw documents longer than the window, crop each at random",
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

    fn from_str(name: &str) -> Result<Self, Error> {
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
    /// Token ids, all of one length.
    pub(crate) sequences: Vec<Vec<u32>>,
    /// Where each comes from.
    pub(crate) origins: Vec<Origin>,
    /// What a reader should know of the draw.
    pub(crate) notes: Vec<String>,
}
