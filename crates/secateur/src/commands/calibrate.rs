//! `secateur calibrate`: calibration data, saved.

use anyhow::Context;
use calib::{CalibrationSet, Workspace};
use lm::Observer;
use serde_json::json;

use super::inspect::selected;
use crate::failure::{self, BadInput, Stopped};
use crate::options::CalibrateOptions;
use crate::recipe::Resolved;
use crate::terminal::{self, format, table::definitions};
use crate::{output, setup};

/// Makes the set and writes it.
pub(crate) fn run(options: &CalibrateOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let observer = terminal::observer(options.running.quiet);
    let made = make(options, &*observer);
    drop(observer);
    match made {
        Ok(set) => report(options, &set),
        // texts that were finished are kept in the cache
        Err(error) if failure::is_cancelled(&error) => {
            Err(Stopped { go_on: resolved.command_line() }.into())
        }
        Err(error) => Err(error),
    }
}

fn make(options: &CalibrateOptions, observer: &dyn Observer) -> anyhow::Result<CalibrationSet> {
    if options.output.exists() && !options.force {
        let problem = format!("{}: the file exists", options.output.display());
        return Err(BadInput::new(problem).hint("name another one, or use --force").into());
    }
    let recipe = options.calibration.recipe()?;
    calib::sources::check(&recipe).context(setup::NO_CALIBRATION)?;
    let model = setup::model(&options.model, observer)?;
    let (cache, hub) = (setup::cache(), setup::data_hub(&recipe, options.model.offline)?);
    let server = options.calibration.drawing.synthesis.server_options()?;
    let workspace = Workspace {
        model: &model,
        cache: cache.as_deref(),
        memory: options.model.memory_bytes(),
        hub: hub.as_ref(),
        server: Some(&server),
    };
    let set = calib::collect(&recipe, &workspace, observer).context(setup::NO_CALIBRATION)?;
    set.save(&options.output, &model.checkpoint().tokenizer)?;
    Ok(set)
}

fn report(options: &CalibrateOptions, set: &CalibrationSet) -> anyhow::Result<()> {
    if options.running.json {
        return output::json(&json!({
            "file": options.output,
            "sequences": set.sequences.len(),
            "tokens": set.tokens(),
            "digest": set.digest(),
            "provenance": set.provenance,
        }));
    }
    let view = options.output.with_extension("jsonl");
    let provenance = &set.provenance;
    let left_out = provenance.left_out();
    let selected = selected(provenance);
    let examples = super::inspect::examples(provenance);
    let facts = definitions([
        ("set", options.output.display().to_string().as_str()),
        ("as text", view.display().to_string().as_str()),
        ("source", provenance.recipe.source.as_str()),
        ("sequences", format::count(set.sequences.len() as u64).as_str()),
        ("tokens", format::count(set.tokens() as u64).as_str()),
        ("left out", left_out.as_deref().unwrap_or("nothing")),
        ("selected", selected.as_str()),
    ]);
    output::text(&format!("{facts}{examples}"))
}
