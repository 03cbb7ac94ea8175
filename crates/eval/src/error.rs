//! What can go wrong while evaluating.

use std::path::PathBuf;

use crate::records::Place;

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
    /// A stride that leaves tokens out.
    #[error("stride: 1 to the window, {window}, expected, {stride} found")]
    Stride {
        /// The stride asked for.
        stride: usize,
        /// Tokens of a window.
        window: usize,
    },
    /// A tokenizer that has no token to begin a document with.
    #[error(
        "the rolling perplexity begins documents with BOS or EOS, and the tokenizer has neither"
    )]
    NoPrefix,
    /// A record that does not ask what its task asks.
    #[error("{place}: {problem}")]
    Record {
        /// File and line.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A task, group or part that nobody knows.
    #[error(
        "{name:?} is no task; known: {known}; mmlu_SUBJECT and mmlu_AREA; or a .toml file of your own"
    )]
    UnknownTask {
        /// The name that was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A task whose data is not there.
    #[error("{task}: no data in {folder}; {file} expected, with the hub's field names")]
    NoTaskData {
        /// The task.
        task: String,
        /// The folder that was searched.
        folder: PathBuf,
        /// A file that would be found.
        file: String,
    },
    /// A task whose data is looked for nowhere.
    #[error("{task}: no folder of data is named; name one with --task-data")]
    NoTaskFolder {
        /// The task.
        task: String,
    },
    /// A task of the user's without examples.
    #[error("{task}: no file of examples; name one in the task's file with shots = \"FILE\"")]
    NoExamples {
        /// The task.
        task: String,
    },
    /// A task for which several files could hold the data.
    #[error("{task}: one file of data expected, {} found; move all but one away", files.join(" and "))]
    TwoTaskFiles {
        /// The task.
        task: String,
        /// The files.
        files: Vec<String>,
    },
    /// A file of which a part is missing.
    #[error("{task}: {expected} shards expected, {found} found beside {file}")]
    MissingShards {
        /// The task.
        task: String,
        /// The first shard that is there.
        file: PathBuf,
        /// Shards that the names speak of.
        expected: usize,
        /// Shards there are.
        found: usize,
    },
    /// A file without a question of what was chosen.
    #[error("{task}: no question in {file}")]
    NoQuestions {
        /// The task, area or part.
        task: String,
        /// The file.
        file: PathBuf,
    },
    /// A definition of a task that cannot be used.
    #[error("{path}: {problem}")]
    TaskFile {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
}

impl Error {
    /// An error about the record at `place`.
    pub(crate) fn at(place: &Place, problem: impl Into<String>) -> Self {
        Error::Record { place: place.to_string(), problem: problem.into() }
    }

    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Error::Model(error) => error.is_bad_input(),
            Error::Text(error) => error.is_bad_input(),
            _ => true,
        }
    }
}
