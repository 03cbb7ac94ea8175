//! What can go wrong with a model.

use std::{io, path::PathBuf};

/// The result of an operation on a model.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a model; every variant names what it speaks of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A tensor is missing, of the wrong shape or type, or holds values no model has.
    #[error("tensor {name}: {problem}")]
    Tensor {
        /// The tensor's name in the checkpoint.
        name: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A field of the configuration is missing or has an unusable value.
    #[error("config.json, {field}: {problem}")]
    Config {
        /// The field.
        field: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A checkpoint, format or option that is not supported, with the way out.
    #[error("{what} is not supported: {hint}")]
    Unsupported {
        /// What was met.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// The tokenizer could not be loaded or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The work does not fit the memory it may use.
    #[error("{what} needs {needed} bytes of memory, {allowed} are allowed: {hint}")]
    Memory {
        /// The work.
        what: String,
        /// Bytes it needs at least.
        needed: u64,
        /// Bytes it may use.
        allowed: u64,
        /// What to do instead.
        hint: String,
    },
    /// The forward pass gave a value that is not a finite number.
    #[error("{what} is not a finite number: the arithmetic overflows; run the model in f32")]
    NotFinite {
        /// The value.
        what: String,
    },
    /// A hub does not give the model that was asked for, or the cache does not hold it.
    #[error("model {model}: {problem}: {hint}")]
    Hub {
        /// The model, `owner/name`.
        model: String,
        /// Why not.
        problem: String,
        /// What to do instead.
        hint: String,
    },
    /// A server cannot be reached, or breaks what it promised.
    #[error("{url}: {problem}: {hint}")]
    Network {
        /// What was asked for.
        url: String,
        /// What went wrong.
        problem: String,
        /// What to do instead.
        hint: String,
    },
    /// The observer asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Attaches the file's name to a system error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// A file that is not what it should be.
    pub fn malformed(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Error::Malformed { path: path.into(), problem: problem.into() }
    }

    /// A tensor that is not what it should be.
    pub fn tensor(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Tensor { name: name.into(), problem: problem.into() }
    }

    /// A configuration field that is not what it should be.
    pub fn config(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Config { field: field.into(), problem: problem.into() }
    }

    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Error::Cancelled | Error::NotFinite { .. } | Error::Network { .. })
            && !matches!(self, Error::Io { source, .. } if source.kind() != io::ErrorKind::NotFound)
    }
}
