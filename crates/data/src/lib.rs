//! Readers of text data, streaming: plain text, JSON, Parquet and Arrow files, compressed or not.
//!
//! [`open`] takes a file, a folder of files, a pattern or standard input and yields [`Document`]s one
//! at a time. Every format is one file in `formats/` and one line in [`FORMATS`]; the file's extension
//! chooses it.

pub mod formats;

mod document;
mod error;
mod input;
mod lines;
mod open;
mod records;
mod stdin;
mod values;

pub use document::{BadRecords, Document, Message, Options, Split};
pub use error::{Error, Result};
pub use formats::{FORMATS, Format, record_name, rows};
pub use input::STANDARD_INPUT;
pub use open::{Documents, Skipped, files, is_many, is_readable, is_standard_input, open};
pub use records::{Item, Record, Rows};
