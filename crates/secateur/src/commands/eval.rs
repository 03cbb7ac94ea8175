//! `secateur eval`: what a model is worth, or what a pruned one has lost.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use eval::Documents;
use lm::{Model, Observer, scoring};
use serde_json::{Value, json};

use crate::failure::BadInput;
use crate::measure::{DivergenceFacts, Measured, Suite, TaskFacts, Texts, Yardstick, protocol};
use crate::options::{EvalOptions, Format};
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
    tasks: Option<TaskFacts>,
    divergence: Option<DivergenceFacts>,
}

/// Measures and prints.
pub(crate) fn run(options: &EvalOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let begun = Instant::now();
    let observer = terminal::observer(options.running.quiet);
    if options.running.json && options.format != Format::Text {
        return Err(BadInput::new("--json and --format: one layout expected, two found").into());
    }
    for (option, path) in [("--report", &options.report), ("--answers", &options.tasks.answers)] {
        path.as_deref().map_or(Ok(()), |path| check_folder(option, path))?;
    }
    let found = measure(options, &*observer)?;
    drop(observer);
    found.tasks.as_ref().map_or(Ok(()), TaskFacts::write_answers)?;
    let record = found.json(resolved, begun.elapsed().as_secs_f64());
    if let Some(path) = &options.report {
        let text = format!("{}\n", serde_json::to_string_pretty(&record)?);
        let cannot = || format!("the report cannot be written to {}", path.display());
        std::fs::write(path, text).with_context(cannot)?;
    }
    if options.running.json {
        return output::json(&record);
    }
    output::text(&found.render(options.format))
}

/// Refuses a file that could not be written once everything is measured.
fn check_folder(option: &str, path: &Path) -> Result<(), BadInput> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.is_none_or(Path::is_dir) && !path.is_dir() {
        true => Ok(()),
        false => {
            let problem = format!("{option} {}: a file in a folder expected", path.display());
            Err(BadInput::new(problem).hint("make the folder first"))
        }
    }
}

fn measure(options: &EvalOptions, observer: &dyn Observer) -> anyhow::Result<Found> {
    let model = setup::model(&options.model, observer)?;
    let second = options.pruned.as_ref();
    let second = second.map(|name| setup::second(name, &options.model, &model, observer));
    let second = second.transpose()?;
    let memory = options.model.memory_bytes();
    let scoring = scoring::Options { streamed: options.evaluation.streamed, memory };
    let texts = Texts::read(&options.evaluation, scoring.clone(), &model)?;
    let suite = Suite::read(&options.tasks, 1 + usize::from(second.is_some()))?;
    let measures_nothing = texts.is_empty() && suite.is_none();
    let auto = measures_nothing && second.is_some();
    let yardstick = Yardstick::read(&options.divergence, auto, &model)?;
    check(options, measures_nothing, yardstick.is_some())?;
    let pair = yardstick.zip(second.as_ref());
    let divergence =
        pair.map(|(yardstick, second)| yardstick.measure(&model, second, &scoring, observer));
    let named = [(&options.model.model, &model)].into_iter();
    let named: Vec<_> = named.chain(options.pruned.iter().zip(&second)).collect();
    let tasks = suite.map(|suite| asked(suite, &named, &scoring, observer)).transpose()?;
    let entry = |(name, model): (&String, &Model)| {
        Ok(Entry { model: name.clone(), perplexity: texts.measure(model, observer)? })
    };
    Ok(Found {
        dtype: setup::precision_name(model.precision()),
        models: named.into_iter().map(entry).collect::<anyhow::Result<_>>()?,
        tasks,
        divergence: divergence.transpose()?,
    })
}

/// Asks every model the questions.
fn asked(
    suite: Suite,
    models: &[(&String, &Model)],
    scoring: &scoring::Options,
    observer: &dyn Observer,
) -> anyhow::Result<TaskFacts> {
    let figures = models.iter().map(|(_, model)| suite.measure(model, scoring, observer));
    let figures = figures.collect::<anyhow::Result<_>>()?;
    let names = models.iter().map(|(name, _)| (*name).clone()).collect();
    let first = models[0].1;
    TaskFacts::new(suite, names, figures, first, setup::precision_name(first.precision()))
}

/// Refuses a command line that asks for nothing, or for a comparison of one model.
fn check(options: &EvalOptions, measures_nothing: bool, compares: bool) -> Result<(), BadInput> {
    if compares && options.pruned.is_none() {
        let problem = "--divergence compares two models, and one is given";
        return Err(BadInput::new(problem).hint("name the dense model first, then the pruned one"));
    }
    if measures_nothing && !compares {
        let hint = "name tasks with --tasks, a text with --perplexity FILE, or a second model to \
                    compare with";
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
            "tasks": self.tasks.as_ref().map(TaskFacts::json),
            "divergence": self.divergence,
            "seconds": seconds,
            "peak_memory": system::peak_memory(),
        })
    }

    fn render(&self, layout: Format) -> String {
        let mut parts = Vec::new();
        parts.extend(self.tasks.as_ref().map(|tasks| tasks.render(layout)));
        if !self.models[0].perplexity.is_empty() {
            parts.push(self.perplexities(layout));
        }
        parts.extend(self.divergence.as_ref().map(|found| found.render_as(layout)));
        parts.join("\n")
    }

    fn perplexities(&self, layout: Format) -> String {
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
            self.document_rows(&mut table, index);
        }
        table.render_as(layout)
    }

    /// What the rolling protocol finds beside the perplexity of a token.
    fn document_rows(&self, table: &mut Table, index: usize) {
        let texts = self.models.iter().map(|entry| &entry.perplexity[index].perplexity);
        let found: Option<Vec<&Documents>> = texts.map(|text| text.documents.as_ref()).collect();
        let Some(found) = found else { return };
        let count = |number: usize, unit: &str| format!("{} {unit}", format::count(number as u64));
        let words = count(found[0].words, "words");
        let bytes = count(found[0].bytes, "bytes");
        let mut row = |name: &str, of: fn(&Documents) -> String, measured_on: String| {
            let figures = found.iter().map(|documents| of(documents));
            let cells = std::iter::once(format!("  {name}")).chain(figures).chain([measured_on]);
            table.row(cells.collect::<Vec<_>>());
        };
        row("of a word", |found| format::perplexity(found.word_perplexity), words);
        row("of a byte", |found| format::perplexity(found.byte_perplexity), bytes.clone());
        row("bits a byte", |found| format!("{:.4}", found.bits_per_byte), bytes);
        let documents = count(found[0].count, "documents");
        row("mean of documents", |found| format::perplexity(found.mean_perplexity), documents);
    }
}
