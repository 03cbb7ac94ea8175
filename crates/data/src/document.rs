//! Documents and how they are told apart.

use serde::{Deserialize, Serialize};

/// One text of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text, as the file holds it (a byte-order mark at the start of a file is left out). Of a
    /// conversation, its messages in plain writing.
    pub text: String,
    /// The file it was read from.
    pub source: String,
    /// Its number in reading order, from 0, over all files of a folder.
    pub index: usize,
    /// The messages, where the record is a conversation.
    pub messages: Option<Vec<Message>>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant` or `tool` as a rule.
    pub role: String,
    /// What is said.
    pub content: String,
}

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

/// What is done about a record that cannot be used: broken JSON, a missing field, a line that is
/// not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadRecords {
    /// Reading ends with an error that names it.
    #[default]
    Stop,
    /// It is left out and counted.
    Skip,
}

/// How files are read. An option that does not apply to a file's format is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The field of a record that holds the text; several joined by `+`, or `*` for every text of
    /// a record. Found by its name when absent.
    pub field: Option<String>,
    /// How plain text is cut into documents; the whole file is one when absent.
    pub split: Option<Split>,
    /// What is done about records that cannot be used.
    pub bad_records: BadRecords,
}
