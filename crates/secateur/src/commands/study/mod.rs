//! `secateur study`: a grid of runs, and what they say together.

mod cells;
mod file;
mod table;

use std::fs;

use study::{Store, Summary};

use crate::failure::{BadInput, Stopped};
use crate::options::{Format, StudyOptions};
use crate::recipe::Resolved;
use crate::{failure, output, terminal};
use cells::Cells;
use file::Study;

/// The folder of the results in the output.
const CELLS: &str = "cells";

/// The table's name in the output.
const TABLE: &str = "table.md";

/// Runs the cells that have no result yet, and prints the table.
pub(crate) fn run(options: &StudyOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let study = Study::read(&options.study)?;
    let observer = terminal::observer(options.running.quiet);
    let store = Store::new(options.output.join(CELLS));
    let mut cells = Cells::new(&study, &options.output);
    let tasks = cells.tasks(&*observer)?;
    if options.dry_run {
        drop(observer);
        return output::text(&table::plan(&tasks, &store)?);
    }
    let fatal = |error: &anyhow::Error| failure::is_cancelled(error);
    let results = study::run(&tasks, &store, &*observer, fatal, |task, (number, of)| {
        observer.note(&format!("cell {number} of {of}: {}", task.cell));
        cells.run(&task.cell, &*observer)
    });
    drop(observer);
    let stopped = |error: anyhow::Error| match failure::is_cancelled(&error) {
        // what is finished is found again
        true => Stopped { go_on: resolved.command_line() }.into(),
        false => error,
    };
    let results = results.map_err(|error| stopped(error.into()))?.map_err(stopped)?;
    let summary = Summary::new(&tasks, &results, &study.replicate, &study.baseline);
    let markdown = table::render(&summary, &study.replicate, Format::Markdown);
    let path = options.output.join(TABLE);
    fs::create_dir_all(&options.output).map_err(lm::Error::io(&options.output))?;
    lm::checkpoint::write_durable(&path, markdown.as_bytes())?;
    match options.running.json {
        true => output::json(&summary)?,
        false => output::text(&table::render(&summary, &study.replicate, options.format))?,
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    if failed > 0 {
        let problem = format!("{failed} of {} cells have no result; see the table", results.len());
        return Err(BadInput::new(problem).into());
    }
    Ok(())
}
