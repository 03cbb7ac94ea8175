//! Lines of a file, with bounded length and checked as UTF-8.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a file line by line and knows where it is.
pub(crate) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    limit: u64,
    /// Number of the line read last, from 1.
    number: usize,
    /// Offset of the next line from the start of the file.
    offset: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens `path`; lines longer than `limit` bytes are errors.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Self { reader, path: path.into(), limit, number: 0, offset: 0, buffer: Vec::new() })
    }

    /// The next line with its line feed, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<&str>> {
        self.buffer.clear();
        let mut bounded = (&mut self.reader).take(self.limit + 1);
        let read = bounded.read_until(b'\n', &mut self.buffer).map_err(Error::io(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 > self.limit {
            return Err(self.too_long("cut it into shorter documents"));
        }
        let start = self.offset;
        self.offset += read as u64;
        let text = std::str::from_utf8(&self.buffer).map_err(|error| Error::Encoding {
            path: self.path.clone(),
            line: self.number,
            offset: start + error.valid_up_to() as u64,
        })?;
        Ok(Some(if start == 0 { text.trim_start_matches(BYTE_ORDER_MARK) } else { text }))
    }

    /// An error about the line read last.
    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        Error::Line { path: self.path.clone(), line: self.number, problem: problem.into() }
    }

    /// An error for a document that passes the limit at the line read last.
    pub(crate) fn too_long(&self, hint: &'static str) -> Error {
        Error::TooLong { path: self.path.clone(), line: self.number, limit: self.limit, hint }
    }
}
