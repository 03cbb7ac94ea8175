//! Lines of a file, with bounded length and checked as UTF-8.

use std::{
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use crate::{Error, Result, input, input::Bytes};

/// Bytes of a line that are read before the next look at them.
const STEP: u64 = 1 << 16;

/// Bytes of the rest of a line that is too long, and blank lines in a row, that are passed over at most:
/// what never ends ends there.
const PASSED_OVER: u64 = 1 << 30;
const BLANK_LINES: u64 = 1 << 24;

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
    /// Blank lines since the last other one.
    blank: u64,
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
        Self {
            reader,
            path,
            limit,
            number: 0,
            offset: 0,
            buffer: Vec::new(),
            blank: 0,
            unfinished: false,
        }
    }

    /// The next line with its line feed, or `None` at the end of the file. After an error that
    /// concerns one line, the line after it comes next.
    pub(crate) fn next(&mut self) -> Result<Option<&str>> {
        if std::mem::take(&mut self.unfinished) {
            self.pass_over()?;
        }
        let start = self.offset;
        let whole = self.fill()?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        self.offset += self.buffer.len() as u64;
        self.unfinished = !whole;
        if self.buffer.contains(&0) {
            return Err(self.error("a NUL byte found: this is no text"));
        }
        if !whole {
            return Err(self.too_long("cut it into shorter documents"));
        }
        let blank = self.buffer.iter().all(u8::is_ascii_whitespace);
        self.blank = if blank { self.blank + 1 } else { 0 };
        if self.blank > BLANK_LINES {
            return Err(self.endless(&format!("{BLANK_LINES} blank lines in a row")));
        }
        let text = std::str::from_utf8(&self.buffer).map_err(|error| Error::Encoding {
            path: self.path.clone(),
            line: self.number,
            offset: start + error.valid_up_to() as u64,
        })?;
        Ok(Some(if start == 0 { text.trim_start_matches(BYTE_ORDER_MARK) } else { text }))
    }

    /// Fills the buffer with the next line, or with its beginning where a NUL byte is found or the limit is
    /// passed; whether it is there as a whole.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.clear();
        loop {
            let (before, room) = (self.buffer.len(), self.limit + 1 - self.buffer.len() as u64);
            let mut step = (&mut self.reader).take(STEP.min(room));
            let read = step.read_until(b'\n', &mut self.buffer).map_err(Error::io(&self.path))?;
            let new = &self.buffer[before..];
            if self.buffer.len() as u64 > self.limit {
                return Ok(false);
            }
            if read == 0 || new.ends_with(b"\n") {
                return Ok(true);
            }
            if new.contains(&0) {
                return Ok(false);
            }
        }
    }

    /// Goes to the end of a line whose rest is of no use.
    fn pass_over(&mut self) -> Result<()> {
        let mut bounded = (&mut self.reader).take(PASSED_OVER);
        let passed = bounded.skip_until(b'\n').map_err(Error::io(&self.path))? as u64;
        self.offset += passed;
        if passed < PASSED_OVER {
            return Ok(());
        }
        Err(self.endless(&format!("no line feed in {PASSED_OVER} bytes")))
    }

    /// An error for what does not seem to end.
    fn endless(&self, found: &str) -> Error {
        let problem = format!("{found}: this seems to have no end");
        Error::Malformed { path: self.path.clone(), problem }
    }

    /// The number of the line read last, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
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
