//! Documents and how they are told apart.

use serde::{Deserialize, Serialize};

use crate::Result;

/// One text of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text, as the file holds it (a byte-order mark at the start of a file is left out).
    pub text: String,
    /// The file it was read from.
    pub source: String,
    /// Its number in reading order, from 0, over all files of a folder.
    pub index: usize,
}

/// Documents in reading order. A file is opened when its first document is asked for.
pub type Documents = Box<dyn Iterator<Item = Result<Document>> + Send>;

/// Where one document of a plain text file ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Nowhere: the whole file is one document.
    #[default]
    File,
    /// At blank lines (lines of white space alone).
    BlankLine,
    /// At every line.
    Line,
}

/// How files are read. An option that does not apply to a file's format is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The field of a record that holds the text; found by its name when absent.
    pub field: Option<String>,
    /// How plain text is cut into documents; the whole file is one when absent.
    pub split: Option<Split>,
}
