//! A cursor over the bytes of a file that never reads past their end.

use std::path::Path;

use crate::{Error, Result};

/// The longest name or metadata key, in bytes (the format allows 65535 for keys, 64 for tensors).
const LONGEST_NAME: u64 = 65535;

/// Reads little-endian values one after the other.
pub(super) struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The bytes from `start` to where the cursor stands.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.position]
    }

    /// An error about this file.
    pub(super) fn problem(&self, problem: impl Into<String>) -> Error {
        Error::malformed(self.path, problem)
    }

    /// The next `count` bytes, which hold `what`.
    pub(super) fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8]> {
        let left = self.bytes.len() - self.position;
        let fits = usize::try_from(count).ok().filter(|count| *count <= left);
        let Some(count) = fits else {
            let problem = format!(
                "truncated: {what} at byte {} needs {count} bytes, {left} are left; \
                 fetch the file again",
                self.position
            );
            return Err(self.problem(problem));
        };
        let start = self.position;
        self.position += count;
        Ok(&self.bytes[start..self.position])
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.take(N as u64, what)?;
        Ok(bytes.try_into().expect("invariant: take returned as many bytes as were asked for"))
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A text's bytes, after their number as a `u64`.
    pub(super) fn text(&mut self, what: &str) -> Result<&'a [u8]> {
        let length = self.u64(what)?;
        self.take(length, what)
    }

    /// A short text in UTF-8.
    pub(super) fn name(&mut self, what: &str) -> Result<&'a str> {
        let length = self.u64(what)?;
        if length > LONGEST_NAME {
            let problem = format!("{what}: {length} bytes long, at most {LONGEST_NAME} expected");
            return Err(self.problem(problem));
        }
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|error| self.problem(format!("{what}: {error}")))
    }
}
