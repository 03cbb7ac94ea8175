//! Documents to draw from, by number.

use data::Document;
use sha2::{Digest, Sha256};

use crate::{Result, spool::Spool};

/// Documents that are read once and drawn from in any order; memory does not grow with their texts.
pub(crate) struct Pool {
    texts: Spool,
    /// Where each text ends.
    ends: Vec<u64>,
    /// The number of each document in reading order.
    numbers: Vec<usize>,
    /// The files, each with the number of its first document.
    files: Vec<(usize, String)>,
    digest: Sha256,
}

impl Pool {
    /// A pool without documents.
    pub(crate) fn new() -> Self {
        Self {
            texts: Spool::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
            files: Vec::new(),
            digest: Sha256::new(),
        }
    }

    /// Adds a document.
    pub(crate) fn push(&mut self, document: &Document) -> Result<()> {
        self.digest.update((document.text.len() as u64).to_le_bytes());
        self.digest.update(&document.text);
        if self.files.last().is_none_or(|(_, file)| *file != document.source) {
            self.files.push((self.ends.len(), document.source.clone()));
        }
        self.texts.push(document.text.as_bytes())?;
        self.ends.push(self.texts.len());
        self.numbers.push(document.index);
        Ok(())
    }

    /// Number of documents.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of document `index`.
    pub(crate) fn text(&self, index: usize) -> Result<String> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = self.texts.read(start, (self.ends[index] - start) as usize)?;
        Ok(String::from_utf8(bytes).expect("a text was written here"))
    }

    /// Its number in reading order, documents that were left out counted.
    pub(crate) fn number(&self, index: usize) -> usize {
        self.numbers[index]
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
            assert_eq!(pool.number(index), 2 * index);
            assert_eq!((pool.file(index), pool.text(index).unwrap().as_str()), (file, text));
        }
        assert_eq!(pool.digest().len(), 64);
    }
}
