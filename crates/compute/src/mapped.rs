//! Files mapped into memory.

use std::{
    fs::File,
    io,
    ops::{Deref, Range},
    path::Path,
};

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

    /// Gives the pages of these bytes back to the system, which loads them again where they are touched
    /// again: memory that a file larger than it has passed through.
    ///
    /// # Panics
    /// When the range lies outside the file.
    #[allow(unsafe_code)]
    pub fn release(&self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.map.len(), "bytes of the file");
        #[cfg(unix)]
        if !range.is_empty() {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the map is of a file and never written to, so its pages come back with the bytes
            // they had.
            let released =
                unsafe { self.map.unchecked_advise_range(advice, range.start, range.len()) };
            // a system that refuses keeps the pages, which it may take back by itself
            drop(released);
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_released_are_there_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let map = MappedFile::open(file.path()).unwrap();
        for range in [0..0, 0..100_000, 5000..5001, 4097..70_000, 100_000..100_000] {
            assert_eq!(&map[..], &bytes[..]);
            map.release(range);
        }
        assert_eq!(&map[..], &bytes[..]);
    }
}
