//! What can go wrong while reading data.

use std::{io, path::PathBuf};

/// The result of reading data.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while reading data; every variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file without a single document.
    #[error("{path}: it holds no text")]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// A line that is not what its format asks for.
    #[error("{path}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// A row of a table that is not what is asked for.
    #[error("{path}, row {row}: {problem}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The row's number, from 1.
        row: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// A file that is not what it should be.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// Bytes that are not UTF-8.
    #[error(
        "{path}, line {line}: not UTF-8 at byte {offset} of the file; convert it first, for example \
         with iconv -f latin1 -t utf-8"
    )]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Offset of the first bad byte from the start of the file.
        offset: u64,
    },
    /// A line or file longer than a reader holds in memory.
    #[error("{path}, line {line}: longer than {limit} bytes, the most a document may have; {hint}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The number of the line at which the limit was passed, from 1.
        line: usize,
        /// The limit in bytes.
        limit: u64,
        /// What to do instead.
        hint: &'static str,
    },
    /// A file whose extension no format claims.
    #[error("{path}: no reader for this kind of file; known: {known}{hint}")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The formats and their extensions.
        known: String,
        /// What to do instead, where that is known.
        hint: &'static str,
    },
    /// An option that does not apply to the format.
    #[error("{path}: the option {option} applies to {applies}, this file is read as {format}")]
    Option {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// The formats it applies to.
        applies: &'static str,
        /// The format of the file.
        format: &'static str,
    },
}

impl Error {
    /// Attaches the file's name to a system error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// An error of one record as one of its file, after which nothing is read.
    pub(crate) fn of_the_file(self) -> Self {
        match self {
            Error::Line { path, line, problem } => {
                Error::Malformed { path, problem: format!("up to line {line}: {problem}") }
            }
            Error::Row { path, row, problem } => {
                Error::Malformed { path, problem: format!("up to row {row}: {problem}") }
            }
            other => other,
        }
    }

    /// Whether it concerns one record alone, so that reading can go on with the next.
    pub fn concerns_one_record(&self) -> bool {
        matches!(
            self,
            Error::Line { .. }
                | Error::Row { .. }
                | Error::Encoding { .. }
                | Error::TooLong { .. }
                | Error::Empty { .. }
        )
    }

    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        match self {
            // what a decompressor says of bytes that are none of its kind
            Error::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::UnexpectedEof
            ),
            _ => true,
        }
    }
}
