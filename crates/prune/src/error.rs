//! What can go wrong while pruning.

use lm::Site;

/// The result of pruning.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while pruning; every variant names what it speaks of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model or the output could not be read, run or written.
    #[error(transparent)]
    Model(#[from] lm::Error),
    /// The calibration data does not serve.
    #[error(transparent)]
    Calibration(#[from] calib::Error),
    /// A pattern that no weights can have, or that does not fit a tensor.
    #[error("pattern {pattern}: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A name that no registry knows.
    #[error("there is no {kind} {name:?}; known: {known}")]
    Unknown {
        /// What was looked for: a method, an allocation …
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A `--skip` pattern that names nothing, or names everything.
    #[error("skip {pattern:?}: {problem}")]
    Skip {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A run without the calibration data its method needs.
    #[error("{who} needs calibration data and none was given")]
    NoCalibration {
        /// The steps or the allocation.
        who: String,
    },
    /// Token weights that do not exist, or that nothing would look at.
    #[error("token weights {weights}: {problem}")]
    TokenWeights {
        /// The weights.
        weights: String,
        /// What was expected, or what is wrong.
        problem: String,
    },
    /// A sparsity that an allocation cannot share out.
    #[error("allocation {allocation}: {problem}")]
    Allocation {
        /// The allocation.
        allocation: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Weights whose singular values say nothing.
    #[error(
        "{tensor}: its singular values are all equal, zero or not finite, and the allocation alpha \
         compares their tails; skip it with --skip, or choose another allocation"
    )]
    Spectrum {
        /// The weights.
        tensor: String,
    },
    /// Activations that no statistics can be taken of.
    #[error(
        "block {block}, {site:?}: input {input} of the linears is NaN or infinite on the \
         calibration data; check the checkpoint with `inspect --check`, or run in f32"
    )]
    Activations {
        /// The block's index.
        block: usize,
        /// The site whose input it is.
        site: Site,
        /// The input's index.
        input: usize,
    },
    /// A Gram matrix that cannot be factorised, however much is added to its diagonal.
    #[error(
        "the inputs' Gram matrix cannot be factorised, not even with damping of {damping} times \
         the mean of its diagonal; use more calibration data, or a method without it (wanda)"
    )]
    Singular {
        /// The largest damping that was tried.
        damping: f32,
    },
    /// A Gram matrix that holds values that are not finite.
    #[error(
        "the inputs' Gram matrix is NaN or infinite at {row}, {column}: the activations are too large \
         for sums of their products; use a method without it (wanda)"
    )]
    Gram {
        /// One of the two inputs whose products were summed.
        row: usize,
        /// The other one.
        column: usize,
    },
    /// What went wrong at one site.
    #[error("block {block}, {site:?}: {error}")]
    Site {
        /// The block's index.
        block: usize,
        /// The site.
        site: Site,
        /// What went wrong.
        error: Box<Error>,
    },
    /// A killed run that cannot go on as asked.
    #[error("{path}: the unfinished run cannot be resumed: {problem}")]
    Resume {
        /// The unfinished output.
        path: std::path::PathBuf,
        /// What differs.
        problem: String,
    },
}

impl Error {
    /// `error`, with where it happened.
    pub(crate) fn at(block: usize, site: Site, error: Self) -> Self {
        Error::Site { block, site, error: Box::new(error) }
    }

    /// Whether the input is at fault (exit code 2) rather than the run.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Error::Model(error) => error.is_bad_input(),
            Error::Calibration(error) => error.is_bad_input(),
            Error::Activations { .. } | Error::Singular { .. } | Error::Gram { .. } => false,
            Error::Site { error, .. } => error.is_bad_input(),
            _ => true,
        }
    }
}
