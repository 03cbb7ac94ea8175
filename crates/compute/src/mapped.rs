//! Files mapped into memory.

use std::{fs::File, io, ops::Deref, path::Path};

/// A file mapped read-only. Its pages are loaded when touched and are not anonymous memory.
#[derive(Debug)]
pub struct MappedFile {
    map: memmap2::Mmap,
}

impl MappedFile {
    /// Maps the whole of `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    #[allow(unsafe_code)]
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is read-only and private to this process. Another process that truncates
        // the file while it is mapped ends this one with SIGBUS, as every memory-mapping reader of
        // checkpoints accepts.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self { map })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
