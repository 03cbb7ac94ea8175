//! Documents to draw from, by number.

use data::Document;
use sha2::{Digest, Sha256};

use crate::{Result, spool::Spool};

/// Bytes of an entry.
const ENTRY: u64 = 16;

/// Documents that are read once and drawn from in any order; memory grows neither with their texts nor with
/// their number.
pub(crate) struct Pool {
    texts: Spool,
    /// Where each text ends, and its number in reading order: two `u64` each.
    entries: Spool,
    /// The files, each with the number of its first document.
    files: Vec<(usize, String)>,
    digest: Sha256,
}

impl Pool {
    /// A pool without documents.
    pub(crate) fn new() -> Self {
        Self {
            texts: Spool::new(),
            entries: Spool::new(),
            files: Vec::new(),
            digest: Sha256::new(),
        }
    }

    /// Adds a document.
    pub(crate) fn push(&mut self, document: &Document) -> Result<()> {
        self.digest.update((document.text.len() as u64).to_le_bytes());
        self.digest.update(&document.text);
        if self.files.last().is_none_or(|(_, file)| *file != document.source) {
            self.files.push((self.len(), document.source.clone()));
        }
        self.texts.push(document.text.as_bytes())?;
        let entry = [self.texts.len(), document.index as u64];
        self.entries.push(&entry.map(u64::to_le_bytes).concat())
    }

    /// Number of documents.
    pub(crate) fn len(&self) -> usize {
        (self.entries.len() / ENTRY) as usize
    }

    /// The text of document `index`.
    pub(crate) fn text(&self, index: usize) -> Result<String> {
        let start =
            index.checked_sub(1).map_or(Ok(0), |before| self.entry(before).map(|one| one.0))?;
        let (end, _) = self.entry(index)?;
        let bytes = self.texts.read(start, (end - start) as usize)?;
        Ok(String::from_utf8(bytes).expect("a text was written here"))
    }

    /// Its number in reading order, documents that were left out counted.
    pub(crate) fn number(&self, index: usize) -> Result<usize> {
        Ok(self.entry(index)?.1 as usize)
    }

    /// Where document `index` ends, and its number.
    fn entry(&self, index: usize) -> Result<(u64, u64)> {
        let bytes = self.entries.read(index as u64 * ENTRY, ENTRY as usize)?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok((u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])))
    }

    /// The file that document `index` was read from.
    pub(crate) fn file(&self, index: usize) -> &str {
        let after = self.files.partition_point(|(first, _)| *first <= index);
        &self.files[after - 1].1
    }

    /// SHA-256 of the texts.
    pub(crate) fn digest(&self) -> String {
        format!("{:x}", self.digest.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_by_number_with_their_files() {
        let mut pool = Pool::new();
        let texts = [("a", "one"), ("a", ""), ("b", "two"), ("a", "three")];
        for (index, (file, text)) in texts.into_iter().enumerate() {
            let (text, source) = (text.to_owned(), file.to_owned());
            pool.push(&Document { text, source, index: 2 * index, messages: None }).unwrap();
        }
        assert_eq!(pool.len(), 4);
        for (index, (file, text)) in texts.into_iter().enumerate() {
            assert_eq!(pool.number(index).unwrap(), 2 * index);
            assert_eq!((pool.file(index), pool.text(index).unwrap().as_str()), (file, text));
        }
        assert_eq!(pool.digest().len(), 64);
    }
}
