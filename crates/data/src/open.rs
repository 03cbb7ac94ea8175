//! Files and folders of files.

use std::path::{Path, PathBuf};

use crate::formats::{self, Format, Texts};
use crate::{Document, Documents, Error, Options, Result};

/// Opens a file, or a folder of files in the order of their names (folders within are left out).
///
/// A file is opened when its first document is asked for, so a problem of a later file is found when
/// reading gets there. A file without text is an error.
///
/// # Errors
/// When the path does not exist, no format claims a file, or an option does not apply to one.
pub fn open(path: &Path, options: &Options) -> Result<Documents> {
    let files = if path.is_dir() { files_in(path)? } else { vec![existing(path)?] };
    let mut opened = Vec::with_capacity(files.len());
    for file in files {
        let format = formats::find(&file)?;
        format.check(&file, options)?;
        opened.push((file, format));
    }
    Ok(Box::new(Files {
        waiting: opened.into_iter(),
        options: options.clone(),
        current: None,
        index: 0,
        failed: false,
    }))
}

/// Whether a format claims the file's extension, or the path is a folder.
pub fn is_readable(path: &Path) -> bool {
    path.is_dir() || formats::find(path).is_ok()
}

fn existing(path: &Path) -> Result<PathBuf> {
    path.metadata().map(|_| path.to_owned()).map_err(Error::io(path))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(Error::Empty { path: folder.into() }) } else { Ok(files) }
}

/// Documents of several files, one file open at a time.
struct Files {
    waiting: std::vec::IntoIter<(PathBuf, &'static dyn Format)>,
    options: Options,
    current: Option<Current>,
    index: usize,
    failed: bool,
}

struct Current {
    path: PathBuf,
    texts: Texts,
    read: usize,
}

impl Files {
    fn document(&mut self) -> Result<Option<Document>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some((path, format)) = self.waiting.next() else { return Ok(None) };
                let texts = format.texts(&path, &self.options)?;
                self.current = Some(Current { path, texts, read: 0 });
                continue;
            };
            let source = current.path.display().to_string();
            match current.texts.next().transpose()? {
                Some(text) => {
                    current.read += 1;
                    self.index += 1;
                    return Ok(Some(Document { text, source, index: self.index - 1 }));
                }
                None if current.read == 0 => {
                    return Err(Error::Empty { path: current.path.clone() });
                }
                None => self.current = None,
            }
        }
    }
}

impl Iterator for Files {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let document = self.document();
        self.failed = document.is_err();
        document.transpose()
    }
}
