//! `secateur eval`: the perplexity of a model.

use std::time::Instant;

use lm::scoring;
use serde_json::json;

use crate::measure::{Measured, Texts, protocol};
use crate::options::EvalOptions;
use crate::recipe::Resolved;
use crate::terminal::{self, format, table::Table};
use crate::{output, setup, system};

/// Measures and prints.
pub(crate) fn run(options: &EvalOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let begun = Instant::now();
    let observer = terminal::observer(options.running.quiet);
    let model = setup::model(&options.model, &*observer)?;
    let memory = options.model.memory_bytes();
    let scoring = scoring::Options { streamed: options.evaluation.streamed, memory };
    let texts = Texts::read(&options.evaluation, scoring, &model)?;
    texts.require_one()?;
    let measured = texts.measure(&model, &*observer)?;
    drop(observer);
    let dtype = setup::precision_name(model.precision());
    if options.running.json {
        let entry =
            |text: &Measured| json!({"file": text.file, "dtype": dtype, "result": text.perplexity});
        return output::json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "recipe": resolved,
            "kernel": compute::KernelLevel::active().name(),
            "perplexity": measured.iter().map(entry).collect::<Vec<_>>(),
            "seconds": begun.elapsed().as_secs_f64(),
            "peak_memory": system::peak_memory(),
        }));
    }
    let mut table = Table::new(&["text", "perplexity", "measured on"]);
    for text in &measured {
        let perplexity = format::perplexity(text.perplexity.perplexity);
        let how = protocol(&text.perplexity, dtype);
        table.row([text.file.display().to_string(), perplexity, how]);
    }
    output::text(&table.render())
}
