//! Standard input, whose format is told by its first bytes.

use std::{io::BufRead, path::Path};

use crate::{
    Error, Options, Result,
    formats::{self, Format, Items, json, jsonl, text},
    input,
};

/// What standard input says: an array or JSON objects one per line where it begins like one, else
/// plain text; compressed or not.
pub(crate) fn items(path: &Path, options: &Options) -> Result<Items> {
    let mut reader = input::open(path)?;
    let head = reader.fill_buf().map_err(Error::io(path))?;
    let first = head.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let check = |format: &dyn Format| formats::check(format, path, options);
    Ok(match first {
        Some(b'{') => {
            check(&jsonl::JsonLines)?;
            jsonl::of(reader, path, options)
        }
        Some(b'[') if begins_with_objects(head) => {
            check(&json::Json)?;
            json::of(reader, path, options)
        }
        _ => {
            check(&text::Text)?;
            text::of(reader, path, options)
        }
    })
}

/// Whether a bracket is followed by a brace.
fn begins_with_objects(head: &[u8]) -> bool {
    let mut bytes = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    bytes.next() == Some(b'[') && bytes.next() == Some(b'{')
}
