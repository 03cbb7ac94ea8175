//! The run itself: calibrate, prune, measure.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Context;
use calib::{CalibrationSet, Workspace};
use compute::KernelLevel;
use lm::{Checkpoint, Model, Observer};
use prune::{Job, Pruned};
use serde_json::json;

use super::finished;
use super::plan::Prepared;
use crate::measure::{DivergenceFacts, Measured, Texts, Yardstick};
use crate::options::PruneOptions;
use crate::recipe::Resolved;
use crate::report::{CalibrationFacts, Loss, Machine, ModelFacts, Report, Seconds, SparsityFacts};
use crate::{setup, system};

/// Carries out a prepared run.
pub(crate) fn prune(
    options: &PruneOptions,
    resolved: &Resolved,
    prepared: &Prepared,
    dense: &mut DensePerplexities,
    observer: &dyn Observer,
) -> anyhow::Result<Report> {
    let mut clock = Clock::new();
    let draw = |recipe| calibrate(options, prepared, recipe, observer);
    let set = prepared.calibration.as_ref().map(draw).transpose()?;
    let held_out = prepared.held_out.as_ref().map(draw).transpose()?;
    let mut seconds = Seconds { calibration: clock.lap(), ..Seconds::default() };
    let pruned = sweep(options, prepared, [set.as_ref(), held_out.as_ref()], observer)?;
    seconds.pruning = clock.lap();
    let (perplexity, divergence) = measure(options, prepared, dense, observer)?;
    seconds.evaluation = clock.lap();
    seconds.total = clock.total();
    let model = &prepared.model;
    Ok(Report {
        format: 1,
        version: env!("CARGO_PKG_VERSION"),
        recipe: resolved.clone(),
        model: ModelFacts {
            name: options.model.model.clone(),
            path: model.checkpoint().path.clone(),
            digest: model.digest(observer)?.into(),
            parameters: model.spec().parameters(),
            dtype: setup::precision_name(model.precision()),
        },
        output: options.output.clone(),
        machine: Machine {
            kernel: KernelLevel::active().name(),
            threads: rayon::current_num_threads(),
        },
        method: prepared.recipe.steps()?.to_string(),
        calibration: set.as_ref().map(CalibrationFacts::of),
        sparsity: SparsityFacts {
            asked: prepared.recipe.sparsity.to_string(),
            target: prepared.recipe.sparsity.sparsity(),
            achieved: pruned.sparsity.share(),
            model: pruned.model_sparsity.share(),
            linears: pruned.sparsity,
        },
        trials: pruned.trials,
        notes: prepared.choice.iter().cloned().chain(pruned.notes).collect(),
        perplexity,
        divergence,
        seconds,
        peak_memory_bytes: system::peak_memory(),
        blocks: pruned.blocks,
    })
}

/// The calibration data that `recipe` asks for.
fn calibrate(
    options: &PruneOptions,
    prepared: &Prepared,
    recipe: &calib::Recipe,
    observer: &dyn Observer,
) -> anyhow::Result<CalibrationSet> {
    let cache = setup::cache();
    let hub = setup::data_hub(recipe, options.model.offline)?;
    let server = options.calibration.drawing.synthesis.server_options()?;
    let workspace = Workspace {
        model: &prepared.model,
        cache: cache.as_deref(),
        memory: options.model.memory_bytes(),
        hub: hub.as_ref(),
        server: Some(&server),
    };
    calib::collect(recipe, &workspace, observer).context(setup::NO_CALIBRATION)
}

/// Prunes, or reads what a run that is resumed after its sweep has pruned.
fn sweep(
    options: &PruneOptions,
    prepared: &Prepared,
    [set, held_out]: [Option<&CalibrationSet>; 2],
    observer: &dyn Observer,
) -> anyhow::Result<Pruned> {
    if finished::is_finished(options) {
        observer.note("the model is pruned already; what is left is to measure it");
        let asked = [
            ("recipe", json!(prepared.recipe)),
            ("model", json!(prepared.model.digest(observer)?)),
            ("calibration", json!(set.map(CalibrationSet::digest))),
            ("held_out", json!(held_out.map(CalibrationSet::digest))),
            ("precision", json!(setup::precision_name(prepared.model.precision()))),
        ];
        return finished::read(&options.output, &asked);
    }
    let job = Job {
        model: &prepared.model,
        calibration: set,
        held_out,
        recipe: &prepared.recipe,
        output: &options.output,
        memory: options.model.memory_bytes(),
        resume: options.resume,
        force: options.force,
    };
    Ok(prune::prune(&job, observer)?)
}

/// The perplexities of the dense and of the pruned model in the same arithmetic, and how far they
/// are from each other.
fn measure(
    options: &PruneOptions,
    prepared: &Prepared,
    known: &mut DensePerplexities,
    observer: &dyn Observer,
) -> anyhow::Result<(Vec<Loss>, Option<DivergenceFacts>)> {
    if prepared.texts.is_empty() && prepared.yardstick.is_none() {
        return Ok((Vec::new(), None));
    }
    let dense = &prepared.model;
    let pruned = Model::new(Checkpoint::open(&options.output)?, dense.precision())?;
    let perplexity = perplexities(prepared, &pruned, known, observer)?;
    let measure = |yardstick: &Yardstick| {
        observer.note("divergence of the pruned model from the dense one");
        yardstick.measure(dense, &pruned, &prepared.scoring, observer)
    };
    Ok((perplexity, prepared.yardstick.as_ref().map(measure).transpose()?))
}

fn perplexities(
    prepared: &Prepared,
    pruned: &Model,
    known: &mut DensePerplexities,
    observer: &dyn Observer,
) -> anyhow::Result<Vec<Loss>> {
    if prepared.texts.is_empty() {
        return Ok(Vec::new());
    }
    let dense = &prepared.model;
    let dtype = setup::precision_name(dense.precision());
    let name = format!("{} {dtype}", dense.digest(observer)?);
    let before = known.measure(&prepared.texts, dense, &name, observer)?;
    observer.note("perplexity of the pruned model");
    let after = prepared.texts.measure(pruned, observer)?;
    let pairs = before.into_iter().zip(after).map(|(before, after)| Loss {
        file: before.file,
        dtype,
        before: before.perplexity,
        after: after.perplexity,
    });
    Ok(pairs.collect())
}

/// Perplexities of dense models that are known already: a study measures each once.
#[derive(Default)]
pub(crate) struct DensePerplexities(HashMap<String, Vec<Measured>>);

impl DensePerplexities {
    /// The perplexity of the model `name` stands for on every text.
    fn measure(
        &mut self,
        texts: &Texts,
        model: &Model,
        name: &str,
        observer: &dyn Observer,
    ) -> anyhow::Result<Vec<Measured>> {
        let key = format!("{name} {}", texts.protocol());
        if let Some(known) = self.0.get(&key) {
            return Ok(known.clone());
        }
        observer.note("perplexity of the dense model");
        let measured = texts.measure(model, observer)?;
        self.0.insert(key, measured.clone());
        Ok(measured)
    }
}

/// Measures the parts of a run.
struct Clock {
    begun: Instant,
    lap: Instant,
}

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, lap: now }
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let seconds = self.lap.elapsed().as_secs_f64();
        self.lap = Instant::now();
        seconds
    }

    fn total(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}
