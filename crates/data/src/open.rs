//! Files, folders of files, patterns and standard input.

use std::path::{Path, PathBuf};

use crate::formats::{self, Format, Items};
use crate::{BadRecords, Document, Error, Options, Result, STANDARD_INPUT, stdin};

/// Records whose reason is kept among those that were left out.
const EXAMPLES: usize = 3;

/// Records in a row that are left out before none is expected to come any more.
const LEFT_OUT_IN_A_ROW: usize = 1 << 18;

/// Opens a file, a folder of files in the order of their names (folders within are left out), the
/// files that a pattern such as `corpus/**/*.jsonl.gz` matches, in the order of their paths, or
/// standard input (`-`), whose format is told by its first bytes.
///
/// A file is opened when its first document is asked for, so a problem of a later file is found when
/// reading gets there. A file without text is an error.
///
/// # Errors
/// When the path does not exist, a pattern matches nothing, no format claims a file, or an option
/// does not apply to one.
pub fn open(path: &Path, options: &Options) -> Result<Documents> {
    let mut waiting = Vec::new();
    if !is_standard_input(path) {
        for file in files(path)? {
            let format = formats::find(&file)?;
            formats::check(format, &file, options)?;
            waiting.push((file, Some(format)));
        }
    } else {
        waiting.push((path.to_owned(), None));
    }
    Ok(Documents {
        opened: path.to_owned(),
        waiting: waiting.into_iter(),
        options: options.clone(),
        current: None,
        index: 0,
        failed: false,
        skipped: Skipped::default(),
        in_a_row: 0,
    })
}

/// Whether a format claims the file's extension, or the path is a folder, a pattern or standard
/// input.
pub fn is_readable(path: &Path) -> bool {
    path.is_dir() || is_pattern(path) || is_standard_input(path) || formats::find(path).is_ok()
}

/// Whether the path stands for several files.
pub fn is_many(path: &Path) -> bool {
    path.is_dir() || is_pattern(path)
}

/// Whether the path stands for standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

/// Whether the path is a pattern and no file that is called so.
fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '[']) && !path.exists()
}

/// The files that `path` stands for, in reading order.
///
/// # Errors
/// When there are none.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let files = match path {
        folder if folder.is_dir() => files_in(folder)?,
        pattern if is_pattern(pattern) => matching(pattern)?,
        file => vec![file.metadata().map(|_| file.to_owned()).map_err(Error::io(file))?],
    };
    if files.is_empty() { Err(Error::Empty { path: path.into() }) } else { Ok(files) }
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
    Ok(files)
}

fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let malformed = |problem: String| Error::Malformed { path: pattern.into(), problem };
    let text = pattern.to_str().ok_or_else(|| malformed("a pattern must be UTF-8".into()))?;
    let paths = glob::glob(text).map_err(|error| malformed(format!("no pattern: {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            Error::io(path)(error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(malformed("no file matches this pattern".into())) } else { Ok(files) }
}

/// Documents in reading order, one file open at a time.
pub struct Documents {
    opened: PathBuf,
    waiting: std::vec::IntoIter<(PathBuf, Option<&'static dyn Format>)>,
    options: Options,
    current: Option<Current>,
    index: usize,
    failed: bool,
    skipped: Skipped,
    /// Records left out since the last one that was not.
    in_a_row: usize,
}

struct Current {
    path: PathBuf,
    items: Items,
    read: usize,
}

/// Records that were left out because they cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// What is wrong with the first few.
    pub examples: Vec<String>,
}

impl Documents {
    /// What was left out so far ([`BadRecords::Skip`]).
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn document(&mut self) -> Result<Option<Document>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some((path, format)) = self.waiting.next() else { return self.end() };
                let items = match format {
                    Some(format) => format.items(&path, &self.options)?,
                    None => stdin::items(&path, &self.options)?,
                };
                self.current = Some(Current { path, items, read: 0 });
                continue;
            };
            match current.items.next().transpose() {
                Ok(Some(item)) => {
                    current.read += 1;
                    (self.index, self.in_a_row) = (self.index + 1, 0);
                    let (source, index) = (current.path.display().to_string(), self.index - 1);
                    let (text, messages) = (item.text, item.messages);
                    return Ok(Some(Document { text, source, index, messages }));
                }
                Ok(None) => {
                    let (path, read) = (current.path.clone(), current.read);
                    self.current = None;
                    if read == 0 {
                        self.skip(Error::Empty { path })?;
                    }
                }
                Err(error) => self.skip(error)?,
            }
        }
    }

    /// Goes on after an error where it may.
    fn skip(&mut self, error: Error) -> Result<()> {
        if self.options.bad_records == BadRecords::Stop || !error.concerns_one_record() {
            return Err(error);
        }
        self.skipped.count += 1;
        self.in_a_row += 1;
        if self.in_a_row > LEFT_OUT_IN_A_ROW {
            let problem = format!("{LEFT_OUT_IN_A_ROW} records in a row cannot be used: {error}");
            return Err(Error::Malformed { path: self.opened.clone(), problem });
        }
        if self.skipped.examples.len() < EXAMPLES {
            self.skipped.examples.push(error.to_string());
        }
        Ok(())
    }

    /// After the last file: files of which every record was left out hold no text.
    fn end(&self) -> Result<Option<Document>> {
        match self.index {
            0 => Err(Error::Empty { path: self.opened.clone() }),
            _ => Ok(None),
        }
    }
}

impl Iterator for Documents {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let document = self.document();
        self.failed = !matches!(document, Ok(Some(_)));
        document.transpose()
    }
}
