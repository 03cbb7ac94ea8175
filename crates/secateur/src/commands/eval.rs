//! `secateur eval`: what a model is worth, or what a pruned one has lost.

use std::time::Instant;

use lm::{Model, Observer, scoring};
use serde_json::{Value, json};

use crate::failure::BadInput;
use crate::measure::{DivergenceFacts, Measured, Texts, Yardstick, protocol};
use crate::options::EvalOptions;
use crate::recipe::Resolved;
use crate::terminal::{self, format, table::Table};
use crate::{output, setup, system};

/// What was measured of one model.
struct Entry {
    model: String,
    perplexity: Vec<Measured>,
}

/// What was measured.
struct Found {
    dtype: &'static str,
    models: Vec<Entry>,
    divergence: Option<DivergenceFacts>,
}

/// Measures and prints.
pub(crate) fn run(options: &EvalOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let begun = Instant::now();
    let observer = terminal::observer(options.running.quiet);
    let found = measure(options, &*observer)?;
    drop(observer);
    if options.running.json {
        return output::json(&found.json(resolved, begun.elapsed().as_secs_f64()));
    }
    output::text(&found.render())
}

fn measure(options: &EvalOptions, observer: &dyn Observer) -> anyhow::Result<Found> {
    let model = setup::model(&options.model, observer)?;
    let second = options.pruned.as_ref();
    let second = second.map(|name| setup::second(name, &options.model, &model, observer));
    let second = second.transpose()?;
    let memory = options.model.memory_bytes();
    let scoring = scoring::Options { streamed: options.evaluation.streamed, memory };
    let texts = Texts::read(&options.evaluation, scoring.clone(), &model)?;
    let yardstick = Yardstick::read(&options.divergence, second.is_some(), &model)?;
    check(options, &texts, yardstick.is_some())?;
    let pair = yardstick.zip(second.as_ref());
    let divergence =
        pair.map(|(yardstick, second)| yardstick.measure(&model, second, &scoring, observer));
    let named = [(&options.model.model, &model)].into_iter();
    let named = named.chain(options.pruned.iter().zip(&second));
    let entry = |(name, model): (&String, &Model)| {
        Ok(Entry { model: name.clone(), perplexity: texts.measure(model, observer)? })
    };
    Ok(Found {
        dtype: setup::precision_name(model.precision()),
        models: named.map(entry).collect::<anyhow::Result<_>>()?,
        divergence: divergence.transpose()?,
    })
}

/// Refuses a command line that asks for nothing, or for a comparison of one model.
fn check(options: &EvalOptions, texts: &Texts, compares: bool) -> Result<(), BadInput> {
    if compares && options.pruned.is_none() {
        let problem = "--divergence compares two models, and one is given";
        return Err(BadInput::new(problem).hint("name the dense model first, then the pruned one"));
    }
    if texts.is_empty() && !compares {
        let hint = "name a text with --perplexity FILE, or a second model to compare with";
        return Err(BadInput::new("there is nothing to measure").hint(hint));
    }
    Ok(())
}

impl Found {
    fn json(&self, resolved: &Resolved, seconds: f64) -> Value {
        let texts = self.models.iter().flat_map(|entry| {
            let of = |text: &Measured| {
                json!({
                    "model": entry.model,
                    "file": text.file,
                    "dtype": self.dtype,
                    "result": text.perplexity,
                })
            };
            entry.perplexity.iter().map(of)
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "recipe": resolved,
            "kernel": compute::KernelLevel::active().name(),
            "perplexity": texts.collect::<Vec<_>>(),
            "divergence": self.divergence,
            "seconds": seconds,
            "peak_memory": system::peak_memory(),
        })
    }

    fn render(&self) -> String {
        let mut parts = Vec::new();
        if !self.models[0].perplexity.is_empty() {
            parts.push(self.perplexities());
        }
        parts.extend(self.divergence.as_ref().map(DivergenceFacts::render));
        parts.join("\n")
    }

    fn perplexities(&self) -> String {
        let mut heading = vec!["text"];
        match &self.models[..] {
            [_] => heading.push("perplexity"),
            models => heading.extend(models.iter().map(|entry| entry.model.as_str())),
        }
        heading.push("measured on");
        let mut table = Table::new(&heading);
        for (index, text) in self.models[0].perplexity.iter().enumerate() {
            let mut row = vec![text.file.display().to_string()];
            let figures = self.models.iter().map(|entry| &entry.perplexity[index].perplexity);
            row.extend(figures.map(|figure| format::perplexity(figure.perplexity)));
            row.push(protocol(&text.perplexity, self.dtype));
            table.row(row);
        }
        table.render()
    }
}
