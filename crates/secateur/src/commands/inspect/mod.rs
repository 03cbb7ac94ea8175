//! `secateur inspect`: what a checkpoint or a calibration set holds.

mod calibration;
mod facts;
mod patterns;
mod sparsity;
mod texts;

use std::path::Path;

use lm::{Checkpoint, Model, Observer};
use serde::Serialize;

use crate::failure::BadInput;
use crate::options::InspectOptions;
use crate::{output, setup, terminal};
pub(crate) use calibration::{examples, selected};
use facts::Facts;
use sparsity::Zeros;

/// What is shown of a checkpoint.
#[derive(Serialize)]
struct Inspection {
    #[serde(flatten)]
    facts: Facts,
    #[serde(flatten)]
    zeros: Zeros,
    /// Whether every weight was read and found finite.
    checked: bool,
}

/// Looks and prints.
pub(crate) fn run(options: &InspectOptions) -> anyhow::Result<()> {
    let path = Path::new(&options.model);
    if path.is_file() && path.extension().is_some_and(|extension| extension == "safetensors") {
        return calibration::run(options, path);
    }
    let observer = terminal::observer(options.running.quiet);
    let inspection = inspect(options, &*observer)?;
    drop(observer);
    if options.running.json {
        return output::json(&inspection);
    }
    let mut text = inspection.facts.render();
    text.push('\n');
    text.push_str(&inspection.zeros.render());
    if inspection.checked {
        text.push_str("\nevery weight is finite\n");
    }
    output::text(&text)
}

fn inspect(options: &InspectOptions, observer: &dyn Observer) -> anyhow::Result<Inspection> {
    let checkpoint = setup::checkpoint(&options.model, options.offline, observer)?;
    if options.check {
        check(&checkpoint, observer)?;
    }
    // shapes are checked here; the arithmetic does not matter, nothing is run
    let model = Model::new(checkpoint, compute::Precision::F32)?;
    let facts = Facts::of(&model);
    let zeros = Zeros::count(&model, observer)?;
    Ok(Inspection { facts, zeros, checked: options.check })
}

/// Refuses a checkpoint with weights no model has.
fn check(checkpoint: &Checkpoint, observer: &dyn Observer) -> anyhow::Result<()> {
    let found = checkpoint.check(observer)?;
    if found.is_empty() {
        return Ok(());
    }
    let lines = found.iter().map(|tensor| {
        let (name, nan, infinite) = (&tensor.tensor, tensor.nan, tensor.infinite);
        format!("\n  {name}: {nan} NaN, {infinite} infinite, the first at {}", tensor.first)
    });
    let problem = format!("weights that are not finite:{}", lines.collect::<String>());
    Err(BadInput::new(problem).hint("get the checkpoint again, or from another source").into())
}
