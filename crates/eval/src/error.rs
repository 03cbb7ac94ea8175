//! What can go wrong while evaluating.

/// The result of an evaluation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while evaluating; every variant names what it speaks of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model could not be read or run.
    #[error(transparent)]
    Model(#[from] lm::Error),
    /// The text could not be read.
    #[error(transparent)]
    Text(#[from] data::Error),
    /// A window no loss can be measured in.
    #[error(
        "window: {window} found, 2 or more expected, and no more than the model's context, {context}"
    )]
    Window {
        /// The window asked for.
        window: usize,
        /// The model's context.
        context: usize,
    },
    /// No position at which two models could be compared.
    #[error("there is nothing to compare the models on; give sequences of at least two tokens")]
    NothingToCompare,
    /// A text shorter than one window.
    #[error(
        "the text has {tokens} tokens, one window needs {window}; give a longer text or a shorter window"
    )]
    TooShort {
        /// Tokens of the text.
        tokens: usize,
        /// Tokens of a window.
        window: usize,
    },
}

impl Error {
    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Error::Model(error) => error.is_bad_input(),
            _ => true,
        }
    }
}
