//! How probable a model finds token sequences.

use lm::scoring::{self, Options, Score};
use lm::{Model, Observer};

use crate::Result;

/// The perplexity; infinite where nothing was scored.
pub(crate) fn perplexity(score: Score) -> f64 {
    if score.tokens == 0 { f64::INFINITY } else { score.perplexity() }
}

/// The log-probability of every sequence, within `memory` bytes.
pub(crate) fn scores(
    model: &Model,
    sequences: &[&[u32]],
    memory: Option<u64>,
    observer: &dyn Observer,
) -> Result<Vec<Score>> {
    let options = |streamed| Options { streamed, memory };
    match scoring::log_likelihoods(model, sequences, &options(false), observer) {
        // Scores are the same either way; block by block takes less memory.
        Err(lm::Error::Memory { .. }) => {
            Ok(scoring::log_likelihoods(model, sequences, &options(true), observer)?)
        }
        scores => Ok(scores?),
    }
}
