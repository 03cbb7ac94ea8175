//! The sweep: block by block, measure, prune, run on, write.
//!
//! With [`Propagation::Staged`](crate::Propagation::Staged) every linear runs once, already pruned;
//! with `Reference` a block runs twice. Both step the same [`lm::Frame`].

mod activations;
mod journal;
mod linears;
mod memory;
mod plan;
mod run;
mod trial;
mod weights;

use std::{collections::HashSet, path::Path};

use calib::CalibrationSet;
use lm::checkpoint::CheckpointWriter;
use lm::{Model, Observer};
use serde::{Deserialize, Serialize};

pub(crate) use activations::Activations;
pub use plan::Plan;
pub use trial::Trial;
pub(crate) use trial::Trials;

use crate::{Error, Needs, Recipe, Result, Sparsity, output};
pub(crate) use journal::Identity;
use journal::Journal;
use memory::Holding;
use run::Run;

/// A pruning run: a model, what to do to it, and where it goes.
pub struct Job<'a> {
    /// The dense model.
    pub model: &'a Model,
    /// The calibration data; ignored where no step needs any.
    pub calibration: Option<&'a CalibrationSet>,
    /// Data on which an allocation compares its candidates ([`Recipe::needs_held_out`]).
    pub held_out: Option<&'a CalibrationSet>,
    /// What is done to the weights.
    pub recipe: &'a Recipe,
    /// The folder the pruned checkpoint is written to.
    pub output: &'a Path,
    /// Bytes of memory the run may use.
    pub memory: Option<u64>,
    /// Goes on with the unfinished run in `output` instead of beginning anew.
    pub resume: bool,
    /// Replaces what `output` holds, and an unfinished run.
    pub force: bool,
}

impl<'a> Job<'a> {
    /// A run into a new folder, with all the memory it likes.
    pub fn new(
        model: &'a Model,
        calibration: Option<&'a CalibrationSet>,
        recipe: &'a Recipe,
        output: &'a Path,
    ) -> Self {
        let (held_out, memory, resume, force) = (None, None, false, false);
        Self { model, calibration, held_out, recipe, output, memory, resume, force }
    }
}

/// What a finished run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pruned {
    /// The zeros of all linears that were pruned.
    pub sparsity: Sparsity,
    /// The zeros of all weights of the model.
    pub model_sparsity: Sparsity,
    /// The allocations that were tried, where the run chose among some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// What a reader should know of the run as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Block by block.
    pub blocks: Vec<BlockReport>,
}

/// What was done to one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockReport {
    /// Its index.
    pub block: usize,
    /// Its linears in the order they run.
    pub linears: Vec<LinearReport>,
}

/// What was done to one linear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearReport {
    /// The name of its weights.
    pub tensor: String,
    /// What it was asked to be pruned to; nothing where it was skipped.
    pub target: Option<crate::Pattern>,
    /// Its zeros as written.
    pub sparsity: Sparsity,
    /// What a reader should know, such as damping that had to be raised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Prunes a model and writes the checkpoint to the job's output.
///
/// The output appears under its name only when it is complete; until then it grows in
/// `<output>.partial`, from which a run with `resume` goes on after the last finished block and
/// gives the same bytes.
///
/// # Errors
/// When the recipe does not fit the model, the calibration data or the memory; when the output
/// cannot be written; when the observer cancels.
pub fn prune(job: &Job<'_>, observer: &dyn Observer) -> Result<Pruned> {
    let mut plan = Plan::new(job.model, job.recipe)?;
    let calibration = calibration(job, &plan)?;
    let held_out = held_out(job)?;
    let holding = Holding::new(job, calibration)?;
    let identity = Identity::new(job, calibration, held_out)?;
    let (writer, journal) = open(job, identity)?;
    let trials = Trials::new(job, &writer, journal);
    plan.share_out(job.model, calibration, &trials, observer)?;
    let mut journal = trials.into_journal();
    let measured = calibration.filter(|_| plan.needs != Needs::NOTHING);
    let mut run = Run::new(job, &plan, measured, &writer, holding)?;
    observer.started("prune", plan.blocks.len() as u64);
    for block in 0..plan.blocks.len() {
        observer.check()?;
        if block < journal.blocks.len() {
            run.replay(block, observer)?;
        } else {
            let report = run.prune(block, observer)?;
            writer.sync()?;
            journal.record(report, &writer)?;
        }
        observer.advanced(1);
    }
    observer.finished();
    finish(job, calibration, writer, journal, observer)
}

/// The calibration data the run needs, checked against the model.
fn calibration<'a>(job: &Job<'a>, plan: &Plan) -> Result<Option<&'a CalibrationSet>> {
    if !job.recipe.needs_calibration()? {
        return Ok(None);
    }
    let allocation = &job.recipe.allocation;
    let who = match plan.needs == Needs::NOTHING {
        true => format!("the allocation {allocation}"),
        false => job.recipe.steps()?.to_string(),
    };
    let set = job.calibration.ok_or(Error::NoCalibration { who })?;
    set.check_tokenizer(&job.model.checkpoint().tokenizer)?;
    Ok(Some(set))
}

/// The held-out data the run needs, checked against the model.
fn held_out<'a>(job: &Job<'a>) -> Result<Option<&'a CalibrationSet>> {
    if !job.recipe.needs_held_out()? {
        return Ok(None);
    }
    let set = job.held_out.ok_or_else(|| Error::NoCalibration {
        who: format!("the allocation {}, which compares on held-out data,", job.recipe.allocation),
    })?;
    set.check_tokenizer(&job.model.checkpoint().tokenizer)?;
    Ok(Some(set))
}

/// The output to write to, new or where a killed run left it.
fn open(job: &Job<'_>, identity: Identity) -> Result<(CheckpointWriter, Journal)> {
    let source = job.model.checkpoint();
    if job.resume && CheckpointWriter::exists_partial(job.output) {
        let writer = CheckpointWriter::resume(job.output, source, job.force)?;
        let journal = Journal::load(&writer, &identity)?;
        return Ok((writer, journal));
    }
    let writer = CheckpointWriter::create(job.output, source, job.force)?;
    let journal = Journal::new(identity);
    journal.save(&writer)?;
    Ok((writer, journal))
}

/// Writes what is not a pruned linear, the descriptions, and gives the output its name.
fn finish(
    job: &Job<'_>,
    calibration: Option<&CalibrationSet>,
    writer: CheckpointWriter,
    journal: Journal,
    observer: &dyn Observer,
) -> Result<Pruned> {
    let linears: Vec<_> = journal.blocks.iter().flat_map(|block| &block.linears).collect();
    let written: HashSet<_> = linears.iter().map(|linear| linear.tensor.as_str()).collect();
    let mut model_sparsity = Sparsity::default();
    let store = &job.model.checkpoint().store;
    for name in store.tensors().keys() {
        observer.check()?;
        if !written.contains(name.as_str()) {
            let tensor = store.read(name)?;
            writer.write(name, &tensor.bytes)?;
            model_sparsity = model_sparsity.and(Sparsity::of_tensor(&tensor));
            store.release(name);
        }
    }
    let pruned = linears.iter().filter(|linear| linear.target.is_some());
    let sparsity = pruned.fold(Sparsity::default(), |sum, linear| sum.and(linear.sparsity));
    let model_sparsity =
        linears.iter().fold(model_sparsity, |sum, linear| sum.and(linear.sparsity));
    let Journal { identity, trials, blocks } = journal;
    let weights = job.recipe.token_weights;
    let notes = Vec::from_iter(weights::note(weights, job.model.spec(), calibration));
    let pruned = Pruned { sparsity, model_sparsity, trials, notes, blocks };
    let digest = job.model.digest(observer)?;
    output::describe(&writer, (&identity, digest), calibration, &pruned)?;
    writer.finish(&[journal::FILE])?;
    Ok(pruned)
}
