//! Readers of text data, streaming: plain text and JSONL.
//!
//! [`open`] takes a file or a folder of files and yields [`Document`]s one at a time. Every format is
//! one file in `formats/` and one line in [`FORMATS`]; the file's extension chooses it.

pub mod formats;

mod document;
mod error;
mod lines;
mod open;

pub use document::{Document, Documents, Options, Split};
pub use error::{Error, Result};
pub use formats::{FORMATS, Format};
pub use open::{is_readable, open};
