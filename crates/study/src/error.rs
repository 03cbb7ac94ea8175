//! What can go wrong in a study.

use std::path::PathBuf;

/// The result of a part of a study.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in a study; every variant names what it speaks of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be written, or the user stopped the work.
    #[error(transparent)]
    Model(#[from] lm::Error),
    /// A grid that is none.
    #[error("the grid: {0}")]
    Grid(String),
    /// A result that cannot be used.
    #[error("{}: {problem}; delete the file and its cell runs again", path.display())]
    Result {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Error {
    /// Whether what the user gave is at fault.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Model(error) => error.is_bad_input(),
            Self::Grid(_) | Self::Result { .. } => true,
        }
    }
}
