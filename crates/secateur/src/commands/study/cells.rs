//! What a cell of a study is: one run of `prune`, measured and deleted.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use compute::KernelLevel;
use lm::Observer;
use serde_json::{Map, Value, json};
use study::{Cell, Measures, Task};

use super::file::Study;
use crate::commands::prune::plan;
use crate::commands::prune::work::{self, DensePerplexities};
use crate::failure::BadInput;
use crate::options::{CalibrationOptions, Command, Invocation, PruneOptions, declared};
use crate::recipe::{self, Resolved};
use crate::report::Report;
use crate::setup;

/// Where the pruned model of the cell that runs lies in the output.
const SCRATCH: &str = "scratch";

/// Options on which no figure depends.
const IRRELEVANT: [&str; 9] =
    ["output", "resume", "force", "dry-run", "json", "quiet", "threads", "memory", "offline"];

/// The cells of a study as runs.
pub(super) struct Cells<'a> {
    study: &'a Study,
    scratch: PathBuf,
    declared: clap::Command,
    /// Options of calibration data.
    calibration: Vec<String>,
    /// Digests of the models that were met, by name.
    digests: HashMap<String, String>,
    dense: DensePerplexities,
}

impl<'a> Cells<'a> {
    pub(super) fn new(study: &'a Study, output: &Path) -> Self {
        Self {
            study,
            scratch: output.join(SCRATCH),
            declared: declared(),
            calibration: recipe::keys::<CalibrationOptions>(),
            digests: HashMap::new(),
            dense: DensePerplexities::default(),
        }
    }

    /// Every cell with what its result depends on.
    ///
    /// # Errors
    /// When the options of a cell are not understood or ask for no measurement, or its model cannot be
    /// opened.
    pub(super) fn tasks(&mut self, observer: &dyn Observer) -> anyhow::Result<Vec<Task>> {
        let cells = self.study.grid.cells();
        cells.into_iter().map(|cell| self.task(cell, observer)).collect()
    }

    fn task(&mut self, cell: Cell, observer: &dyn Observer) -> anyhow::Result<Task> {
        let (options, resolved) = self.options(&cell)?;
        if !plan::measures(&options) {
            let hint = "add perplexity = [\"FILE\"] or divergence = \"self\" to [prune]";
            return Err(BadInput::new("nothing is measured").hint(hint).into());
        }
        let name = &options.model.model;
        let digest = match self.digests.get(name) {
            Some(digest) => digest.clone(),
            None => {
                let model = setup::model(&options.model, observer)?;
                let digest = model.digest(observer)?.to_owned();
                self.digests.insert(name.clone(), digest.clone());
                digest
            }
        };
        let values = resolved.values().iter();
        let relevant = values.filter(|(key, _)| !IRRELEVANT.contains(&key.as_str()));
        let relevant = relevant.map(|(key, value)| (key.clone(), json!(value)));
        let identity = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": digest,
            "kernel": KernelLevel::active().name(),
            "options": relevant.collect::<Map<String, Value>>(),
        });
        Ok(Task { cell, identity })
    }

    /// Prunes as the cell says, measures, and deletes the pruned model.
    ///
    /// # Errors
    /// When the run fails.
    pub(super) fn run(
        &mut self,
        cell: &Cell,
        observer: &dyn Observer,
    ) -> anyhow::Result<(Measures, Value)> {
        let report = self.report(cell, observer);
        if self.scratch.exists() {
            fs::remove_dir_all(&self.scratch).map_err(lm::Error::io(&self.scratch))?;
        }
        let report = report?;
        Ok((measures(&report), json!(report)))
    }

    fn report(&mut self, cell: &Cell, observer: &dyn Observer) -> anyhow::Result<Report> {
        let (options, resolved) = self.options(cell)?;
        let prepared = plan::prepare(&options, observer)?;
        work::prune(&options, &resolved, &prepared, &mut self.dense, observer)
    }

    /// The options of a cell. Those of calibration data are left out where its method uses none, so
    /// that the cells of such a method are one run; those that its source has no use for as well, so
    /// that sources of all kinds go into one grid.
    fn options(&self, cell: &Cell) -> anyhow::Result<(PruneOptions, Resolved)> {
        let (options, resolved) = self.parse(cell, &[])?;
        if !options.pruning.recipe()?.needs_calibration()? {
            return self.parse(cell, &self.calibration);
        }
        let idle = options.calibration.idle()?;
        if idle.is_empty() { Ok((options, resolved)) } else { self.parse(cell, &idle) }
    }

    fn parse(&self, cell: &Cell, left_out: &[String]) -> anyhow::Result<(PruneOptions, Resolved)> {
        let recipe = self.study.recipe(cell, &self.scratch, left_out);
        let words = recipe::words_of_table(&recipe, &[], &self.declared)?;
        let invocation = Invocation::parse(words)
            .map_err(|error| BadInput::new(format!("{cell}: {}", error.to_string().trim_end())))?;
        match invocation.command {
            Command::Prune(options) => Ok((*options, invocation.resolved)),
            _ => unreachable!("the recipe's one table is [prune]"),
        }
    }
}

/// The figures of a run. `loss` is what the logarithm of the perplexity went up by, in nats.
fn measures(report: &Report) -> Measures {
    let mut measures = Measures::new();
    for loss in &report.perplexity {
        let file = loss.file.display();
        let (before, after) = (loss.before.perplexity, loss.after.perplexity);
        measures.insert(format!("perplexity {file}"), after);
        measures.insert(format!("loss {file}"), after.ln() - before.ln());
    }
    if let Some(divergence) = &report.divergence {
        measures.insert("divergence".into(), divergence.result.mean_kl);
        measures.insert("agreement".into(), divergence.result.top1_agreement);
    }
    measures.insert("pruning seconds".into(), report.seconds.pruning);
    measures
}
