//! What a run will do, checked before anything is written.

use std::path::PathBuf;

use anyhow::Context;
use lm::{Model, Observer, checkpoint::CheckpointWriter, scoring};
use prune::{Recipe, TokenWeights};
use serde::Serialize;

use super::{finished, held_out};
use crate::failure::BadInput;
use crate::measure::{Texts, Yardstick};
use crate::options::PruneOptions;
use crate::setup;
use crate::terminal::{format, table::definitions};

/// A run that can begin.
pub(crate) struct Prepared {
    pub(super) model: Model,
    pub(super) recipe: Recipe,
    pub(super) calibration: Option<calib::Recipe>,
    /// What the allocation compares its candidates on.
    pub(super) held_out: Option<calib::Recipe>,
    /// Why the method was taken, where it was chosen by rule.
    pub(super) choice: Option<String>,
    pub(super) texts: Texts,
    pub(super) yardstick: Option<Yardstick>,
    pub(super) scoring: scoring::Options,
    pub(super) plan: Plan,
}

/// What a run will do.
#[derive(Serialize)]
pub(crate) struct Plan {
    model: PathBuf,
    parameters: u64,
    dtype: &'static str,
    recipe: Recipe,
    /// Why the method was taken, where it was chosen by rule.
    choice: Option<String>,
    /// The method and what follows it.
    steps: String,
    /// Linears that will be pruned, of how many.
    pruned_linears: usize,
    linears: usize,
    /// Weights of the linears that will be pruned.
    pruned_weights: u64,
    calibration: Option<calib::Recipe>,
    held_out: Option<calib::Recipe>,
    perplexity: Vec<PathBuf>,
    window: usize,
    /// What the divergence from the dense model is measured on.
    divergence: Option<String>,
    output: PathBuf,
    /// What the output takes on disk; nothing where an unfinished one is gone on with.
    output_bytes: Option<u64>,
}

/// Opens the model and makes sure that what the options ask for can be done.
pub(crate) fn prepare(options: &PruneOptions, observer: &dyn Observer) -> anyhow::Result<Prepared> {
    let model = setup::model(&options.model, observer)?;
    let choice = options.pruning.choice()?.map(|choice| format!("method auto takes {choice}"));
    choice.iter().for_each(|choice| observer.note(choice));
    let recipe = options.pruning.recipe()?;
    let targets = prune::Plan::new(&model, &recipe)?;
    let calibration = calibration(options, &recipe)?;
    let held_out = held_out::recipe(options, &recipe, calibration.as_ref(), &model)?;
    let memory = options.model.memory_bytes();
    // where memory is limited the sweep holds one block at a time, and so does the evaluation
    let streamed = options.evaluation.streamed || memory.is_some();
    let scoring = scoring::Options { streamed, memory };
    let texts = Texts::read(&options.evaluation, scoring.clone(), &model)?;
    let yardstick = Yardstick::read(&options.divergence, is_in_the_box(options), &model)?;
    if let (Some(yardstick), Some(calibration)) = (&yardstick, &calibration) {
        yardstick.check_apart(calibration)?;
    }
    if options.evaluation.streamed && texts.is_empty() && yardstick.is_none() {
        let problem = "--streamed says how to measure, and there is nothing to measure";
        let hint = "add --perplexity FILE or --divergence self, or leave it out";
        return Err(BadInput::new(problem).hint(hint).into());
    }
    let output_bytes = match finished::goes_on(options) {
        true => None,
        false => Some(CheckpointWriter::check(&options.output, model.checkpoint(), options.force)?),
    };
    let plan = Plan {
        model: model.checkpoint().path.clone(),
        parameters: model.spec().parameters(),
        dtype: setup::precision_name(model.precision()),
        recipe: recipe.clone(),
        choice: choice.clone(),
        steps: recipe.steps()?.to_string(),
        pruned_linears: targets.pruned_linears(),
        linears: linears(&model).count(),
        pruned_weights: pruned_weights(&model, &targets),
        calibration: calibration.clone(),
        held_out: held_out.clone(),
        perplexity: texts.files().map(Into::into).collect(),
        window: texts.window(),
        divergence: yardstick.as_ref().map(Yardstick::label),
        output: options.output.clone(),
        output_bytes,
    };
    Ok(Prepared { model, recipe, calibration, held_out, choice, texts, yardstick, scoring, plan })
}

/// Whether anything is measured of the pruned model.
pub(crate) fn measures(options: &PruneOptions) -> bool {
    !options.evaluation.perplexity.is_empty()
        || Yardstick::is_wanted(&options.divergence, is_in_the_box(options))
}

/// Whether the model is the one whose divergence is measured unless something else is said.
fn is_in_the_box(options: &PruneOptions) -> bool {
    options.model.model == demo::NAME
}

/// The calibration data that is wanted, where the method needs any.
fn calibration(options: &PruneOptions, pruning: &Recipe) -> anyhow::Result<Option<calib::Recipe>> {
    let recipe = options.calibration.recipe()?;
    if pruning.needs_calibration()? {
        check_source(&recipe)?;
        return Ok(Some(recipe));
    }
    if recipe == calib::Recipe::default() {
        return Ok(None);
    }
    let method = &pruning.method;
    let problem = format!("the method {method} uses no calibration data, and some is asked for");
    let hint = "leave out --calibration and the options that belong to it, add --refit, or choose \
                another method";
    Err(BadInput::new(problem).hint(hint).into())
}

/// Refuses calibration data that is not there before an hour is spent on something else.
pub(super) fn check_source(recipe: &calib::Recipe) -> anyhow::Result<()> {
    calib::sources::check(recipe).context(setup::NO_CALIBRATION)
}

fn linears(model: &Model) -> impl Iterator<Item = &lm::LinearSpec> {
    model.spec().blocks.iter().flat_map(lm::BlockSpec::linears)
}

fn pruned_weights(model: &Model, targets: &prune::Plan) -> u64 {
    let targets = targets.blocks.iter().flatten().flatten();
    let pruned = linears(model).zip(targets).filter(|(_, target)| target.is_some());
    pruned.map(|(linear, _)| (linear.outputs * linear.inputs) as u64).sum()
}

impl Plan {
    pub(super) fn render(&self) -> String {
        let recipe = &self.recipe;
        let pruned = format!(
            "{} of {} linears, {} of {} weights",
            self.pruned_linears,
            self.linears,
            format::count(self.pruned_weights),
            format::count(self.parameters)
        );
        let mut how = format!(
            "{} to {}, {} allocation, {} propagation",
            self.steps, recipe.sparsity, recipe.allocation, recipe.propagation
        );
        if recipe.token_weights != TokenWeights::Uniform {
            how += &format!(", tokens weighted {}", recipe.token_weights);
        }
        let calibration = self.calibration.as_ref();
        let calibration = calibration.map_or("none needed", |recipe| recipe.source.as_str());
        let files = self.perplexity.iter().map(|file| file.display().to_string());
        let files = files.collect::<Vec<_>>().join(", ");
        let size = match self.output_bytes {
            Some(bytes) => format!(" ({} to write)", format::bytes(bytes)),
            None => " (goes on)".to_owned(),
        };
        let text = definitions([
            ("model", format!("{}, {}", self.model.display(), self.dtype).as_str()),
            ("prune", how.as_str()),
            ("weights", pruned.as_str()),
            ("calibration", calibration),
            ("perplexity", if files.is_empty() { "not measured" } else { files.as_str() }),
            ("divergence", self.divergence.as_deref().unwrap_or("not measured")),
            ("output", format!("{}{size}", self.output.display()).as_str()),
        ]);
        format!("{text}\nnothing was written\n")
    }
}
