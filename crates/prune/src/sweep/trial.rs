//! Prunings that are made to be compared and thrown away.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use lm::checkpoint::CheckpointWriter;
use lm::scoring::{self, TokenDivergence};
use lm::{Checkpoint, Model, Observer};
use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::plan::is_uniform;
use super::{Job, prune};
use crate::{Error, Recipe, Result};

/// Where trials are pruned to, within the unfinished output.
const FOLDER: &str = "trial";

/// What an allocation that was tried came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The allocation.
    pub allocation: String,
    /// Mean Kullback–Leibler divergence KL(dense ‖ pruned) of the next token's distribution on the
    /// held-out data, in nats a token; nothing where it could not be tried.
    pub divergence: Option<f64>,
    /// Why it could not be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The trials of a run: those that are in its journal are not made again.
pub(crate) struct Trials<'a> {
    job: &'a Job<'a>,
    writer: &'a CheckpointWriter,
    journal: RefCell<Journal>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(job: &'a Job<'a>, writer: &'a CheckpointWriter, journal: Journal) -> Self {
        Self { job, writer, journal: RefCell::new(journal) }
    }

    /// The journal, with every trial that was made.
    pub(super) fn into_journal(self) -> Journal {
        self.journal.into_inner()
    }

    /// Prunes the model with `allocation` and measures its divergence from the dense one; nothing
    /// where the allocation does not serve this model.
    pub(crate) fn run(&self, allocation: &str, observer: &dyn Observer) -> Result<Option<f64>> {
        let done = |trial: &&Trial| trial.allocation == allocation;
        if let Some(trial) = self.journal.borrow().trials.iter().find(done) {
            return Ok(trial.divergence);
        }
        let scratch = self.writer.folder().join(FOLDER);
        clear(&scratch)?;
        let output = scratch.join(allocation);
        let (divergence, problem) = match self.divergence(allocation, &output, observer) {
            Ok(divergence) if divergence.is_finite() => (Some(divergence), None),
            Ok(_) => (None, Some("its divergence is not finite".to_owned())),
            Err(error @ Error::Spectrum { .. }) => (None, Some(error.to_string())),
            Err(error) => return Err(error),
        };
        clear(&scratch)?;
        observer.note(&match (divergence, &problem) {
            (Some(nats), _) => format!("allocation {allocation}: {nats:.3} nats a token"),
            (None, problem) => format!(
                "allocation {allocation} cannot be tried: {}",
                problem.as_deref().unwrap_or_default()
            ),
        });
        let trial = Trial { allocation: allocation.into(), divergence, problem };
        self.journal.borrow_mut().record_trial(trial, self.writer)?;
        Ok(divergence)
    }

    fn divergence(&self, allocation: &str, output: &Path, observer: &dyn Observer) -> Result<f64> {
        let job = self.job;
        let held_out = job.held_out.expect("the run has checked that it is there");
        let recipe = Recipe {
            allocation: allocation.into(),
            mixed_nm: job.recipe.mixed_nm && !is_uniform(allocation),
            ..job.recipe.clone()
        };
        let trial = Job { recipe: &recipe, output, held_out: None, resume: false, ..*job };
        prune(&trial, observer)?;
        let pruned = Model::new(Checkpoint::open(output)?, job.model.precision())?;
        // where memory is limited one block at a time is held, as in the sweep
        let options = scoring::Options { streamed: job.memory.is_some(), memory: job.memory };
        let sequences: Vec<&[u32]> = held_out.sequences.iter().map(Vec::as_slice).collect();
        let found = scoring::token_divergences(job.model, &pruned, &sequences, &options, observer)?;
        Ok(mean(found.iter().flatten()))
    }
}

/// The mean divergence; not a number where there is none.
fn mean<'a>(divergences: impl Iterator<Item = &'a TokenDivergence>) -> f64 {
    let (sum, count) = divergences.fold((0.0, 0), |(sum, n), token| (sum + token.kl, n + 1));
    sum / f64::from(count)
}

/// Removes what a trial left, finished or not.
fn clear(scratch: &Path) -> Result<()> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(lm::Error::io(scratch)(error).into())
        }
        _ => Ok(()),
    }
}
