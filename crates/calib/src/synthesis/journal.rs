//! Finished texts on disk, one JSON object per line, appended as they are finished. Of two lines with
//! one number the later counts: a text is appended again when it is scored.
//!
//! The first line says what wrote them. A line without its line feed was being written when the
//! program ended; it is cut off and its text written again.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Text;
use crate::{Error, Result};

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// What wrote the texts.
    Identity(String),
    /// A finished text.
    Text {
        text: Text,
        /// The text as people read it; never read back.
        readable: String,
    },
}

/// Texts by number, kept on disk where there is a folder to keep them in.
pub(crate) struct Journal {
    texts: BTreeMap<u64, Text>,
    file: Option<(PathBuf, File)>,
}

impl Journal {
    /// A journal that nothing keeps.
    pub(crate) fn in_memory() -> Self {
        Self { texts: BTreeMap::new(), file: None }
    }

    /// Opens the journal at `path`, made if need be, and locks it against other runs.
    ///
    /// # Errors
    /// When another run holds it, it cannot be read, or a line of it is broken.
    pub(crate) fn open(path: &Path, identity: &str, vocabulary: usize) -> Result<Self> {
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(path).map_err(Error::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: path.into() }),
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        let mut journal = Self::in_memory();
        let kept = journal.read(&mut file, path, identity, vocabulary)?;
        file.set_len(kept).map_err(Error::io(path))?;
        file.seek(SeekFrom::Start(kept)).map_err(Error::io(path))?;
        journal.file = Some((path.into(), file));
        if kept == 0 {
            journal.append(&Line::Identity(identity.into()))?;
        }
        Ok(journal)
    }

    /// Reads the finished lines; their length in bytes.
    fn read(
        &mut self,
        file: &mut File,
        path: &Path,
        identity: &str,
        vocabulary: usize,
    ) -> Result<u64> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io(path))?;
        let kept = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for (index, line) in bytes[..kept].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let broken = |problem: String| {
                let what = format!("line {}: {problem}; delete the file to begin again", index + 1);
                Error::malformed(path, what)
            };
            let line = serde_json::from_slice(line).map_err(|error| broken(error.to_string()))?;
            self.accept(line, index == 0, identity, vocabulary).map_err(broken)?;
        }
        Ok(kept as u64)
    }

    fn accept(
        &mut self,
        line: Line,
        first: bool,
        identity: &str,
        vocabulary: usize,
    ) -> std::result::Result<(), String> {
        match line {
            Line::Identity(found) if first && found == identity => {}
            Line::Text { text, .. } if !first && text.is_sound(vocabulary) => {
                self.texts.insert(text.stream, text);
            }
            Line::Identity(_) => return Err("texts of another recipe".into()),
            Line::Text { .. } => return Err("a text out of place or not sound".into()),
        }
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut json = serde_json::to_string(line).map_err(|e| Error::Set(e.to_string()))?;
        json.push('\n');
        file.write_all(json.as_bytes()).map_err(Error::io(&*path))
    }

    /// Keeps a finished text; one of the same number is replaced.
    pub(crate) fn add_text(&mut self, text: Text, readable: String) -> Result<()> {
        let line = Line::Text { text: text.clone(), readable };
        self.append(&line)?;
        self.texts.insert(text.stream, text);
        Ok(())
    }

    /// Makes sure that what was appended outlives a loss of power.
    pub(crate) fn sync(&self) -> Result<()> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        file.sync_data().map_err(Error::io(path))
    }

    /// The text with the number `stream`.
    pub(crate) fn text(&self, stream: u64) -> Option<&Text> {
        self.texts.get(&stream)
    }

    /// Mean number of tokens of the finished texts, special tokens not counted; nothing where there
    /// are none.
    pub(crate) fn mean_length(&self) -> Option<usize> {
        let tokens: usize = self.texts.values().map(|text| text.body().len()).sum();
        tokens.checked_div(self.texts.len())
    }

    /// Number of finished texts.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}
