//! Bytes kept in order: in memory while they are few, else in a temporary file.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    sync::{Mutex, MutexGuard},
};

use tempfile::SpooledTempFile;

use crate::{Error, Result};

/// Bytes that stay in memory.
const IN_MEMORY: usize = 128 << 20;

/// Bytes that are written once, in order, and read anywhere.
pub(crate) struct Spool {
    file: Mutex<SpooledTempFile>,
    length: u64,
}

impl Spool {
    /// An empty spool.
    pub(crate) fn new() -> Self {
        Self { file: Mutex::new(SpooledTempFile::new(IN_MEMORY)), length: 0 }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Adds `bytes` at the end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let mut file = self.locked();
        file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(bytes)).map_err(temporary)?;
        drop(file);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The `count` bytes from `start` on.
    pub(crate) fn read(&self, start: u64, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut file = self.locked();
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        read.map(|()| bytes).map_err(temporary)
    }

    fn locked(&self) -> MutexGuard<'_, SpooledTempFile> {
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn temporary(error: std::io::Error) -> Error {
    Error::io(std::env::temp_dir().join("(a temporary file; TMPDIR chooses where)"))(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_anywhere() {
        let mut spool = Spool::new();
        spool.push(b"first").unwrap();
        assert_eq!(spool.read(1, 3).unwrap(), b"irs");
        spool.push(b"second").unwrap();
        assert_eq!((spool.len(), spool.read(3, 5).unwrap()), (11, b"stsec".to_vec()));
        assert!(spool.read(9, 5).is_err());
        spool.locked().roll().unwrap();
        spool.push(b"!").unwrap();
        assert_eq!(spool.read(5, 7).unwrap(), b"second!");
    }
}
