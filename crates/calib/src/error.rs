//! What can go wrong while calibration data is made.

use std::{io, path::PathBuf};

/// The result of making calibration data.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while calibration data is made; every variant names what it speaks of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text could not be read.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The model could not be read or run, or the observer asked to stop.
    #[error(transparent)]
    Model(#[from] lm::Error),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
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
    /// A calibration set that contradicts itself.
    #[error("calibration set: {0}")]
    Set(String),
    /// Text with fewer tokens than a window.
    #[error("{what}: {found} tokens found, at least {needed} needed: {hint}")]
    TooShort {
        /// The text.
        what: String,
        /// Tokens it has.
        found: usize,
        /// Tokens that are needed.
        needed: usize,
        /// What to do instead.
        hint: String,
    },
    /// Fewer documents than sequences that are made of one each.
    #[error(
        "{what}: {found} usable documents found, {needed} needed: packing `whole` uses a document \
         once; ask for fewer samples, or choose another packing"
    )]
    TooFew {
        /// The documents.
        what: String,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A set whose token ids mean something else to this model.
    #[error(
        "{what} was made with another tokenizer (digest {expected}) than this model's ({found}): its \
         token ids would mean other text; make a set for this model"
    )]
    Tokenizer {
        /// The set.
        what: String,
        /// Digest of the tokenizer it was made with.
        expected: String,
        /// Digest of the model's tokenizer.
        found: String,
    },
    /// A setting that no calibration data can be made with.
    #[error("{setting}: {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What was expected and what was found.
        problem: String,
    },
    /// A name that no registry knows.
    #[error("there is no {kind} {name:?}; known: {known}")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A source of which the filters leave nothing.
    #[error("{from}: {problem}; ask for less of the filters")]
    Filtered {
        /// The source.
        from: String,
        /// How many were left out, and why.
        problem: String,
    },
    /// A chat template that cannot be used.
    #[error("the model's chat template: {0}")]
    Template(String),
    /// A model whose own texts do not serve.
    #[error("the model's own texts do not serve: {problem}")]
    Synthesis {
        /// What was found, and what to do instead.
        problem: String,
    },
    /// A cache folder that another run writes to.
    #[error("{path}: another run is writing texts there; wait for it, or choose another cache")]
    Busy {
        /// The file that is locked.
        path: PathBuf,
    },
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

    /// A setting that does not serve.
    pub fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Error::Setting { setting, problem: problem.into() }
    }

    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Error::Data(error) => error.is_bad_input(),
            Error::Model(error) => error.is_bad_input(),
            Error::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Error::Synthesis { .. } | Error::Busy { .. } => false,
            _ => true,
        }
    }
}
