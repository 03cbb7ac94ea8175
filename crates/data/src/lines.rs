//! Lines of a file, with bounded length and checked as UTF-8.

use std::{
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use crate::{Error, Result, input, input::Bytes};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a file line by line and knows where it is.
pub(crate) struct Lines {
    reader: Bytes,
    path: PathBuf,
    limit: u64,
    /// Number of the line read last, from 1.
    number: usize,
    /// Offset of the next line from the start of the file.
    offset: u64,
    buffer: Vec<u8>,
    /// The line read last was too long and its rest is still to come.
    unfinished: bool,
}

impl Lines {
    /// Opens `path`; lines longer than `limit` bytes are errors.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self> {
        Ok(Self::of(input::open(path)?, path, limit))
    }

    /// The lines of `reader`, which `path` names.
    pub(crate) fn of(reader: Bytes, path: &Path, limit: u64) -> Self {
        let path = path.to_owned();
        Self { reader, path, limit, number: 0, offset: 0, buffer: Vec::new(), unfinished: false }
    }

    /// The next line with its line feed, or `None` at the end of the file. After an error that
    /// concerns one line, the line after it comes next.
    pub(crate) fn next(&mut self) -> Result<Option<&str>> {
        if std::mem::take(&mut self.unfinished) {
            let rest = self.reader.skip_until(b'\n').map_err(Error::io(&self.path))?;
            self.offset += rest as u64;
        }
        self.buffer.clear();
        let mut bounded = (&mut self.reader).take(self.limit + 1);
        let read = bounded.read_until(b'\n', &mut self.buffer).map_err(Error::io(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let start = self.offset;
        self.offset += read as u64;
        if read as u64 > self.limit {
            self.unfinished = !self.buffer.ends_with(b"\n");
            return Err(self.too_long("cut it into shorter documents"));
        }
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
