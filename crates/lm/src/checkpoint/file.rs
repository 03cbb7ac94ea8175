//! One file of a checkpoint: on disk, or bytes that were there from the start.

use std::{
    borrow::Cow,
    fs,
    ops::{Deref, Range},
    path::{Path, PathBuf},
};

use compute::MappedFile;

use super::Content;
use crate::{Error, Result};

/// A file and what it is called in messages.
pub(super) struct File<'a> {
    path: PathBuf,
    content: &'a Content,
}

impl<'a> File<'a> {
    /// File `name` of `folder`.
    pub(super) fn new(folder: &Path, name: &str, content: &'a Content) -> Self {
        let path = match content {
            Content::File(path) => path.clone(),
            Content::Bytes(_) => folder.join(name),
        };
        Self { path, content }
    }

    /// Where it is, or would be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All of it.
    pub(super) fn read(&self) -> Result<Cow<'a, [u8]>> {
        match self.content {
            Content::File(path) => fs::read(path).map(Cow::Owned).map_err(Error::io(path)),
            Content::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Its bytes to be read where they are.
    pub(super) fn map(&self) -> Result<Bytes> {
        let path = match self.content {
            Content::Bytes(bytes) => return Ok(Bytes::Held(bytes.clone())),
            Content::File(path) => path,
        };
        if !path.metadata().map_err(Error::io(path))?.is_file() {
            return Err(Error::malformed(path, "a safetensors file expected, this is no file"));
        }
        MappedFile::open(path).map(Bytes::Mapped).map_err(Error::io(path))
    }
}

/// Bytes that stay where they are.
pub(super) enum Bytes {
    /// Of a file on disk.
    Mapped(MappedFile),
    /// Of the program itself, as a rule.
    Held(Cow<'static, [u8]>),
}

impl Bytes {
    /// Gives the memory of these bytes back where they are on disk as well.
    pub(super) fn release(&self, range: Range<usize>) {
        match self {
            Bytes::Mapped(file) => file.release(range),
            Bytes::Held(_) => {}
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(file) => file,
            Bytes::Held(bytes) => bytes,
        }
    }
}
