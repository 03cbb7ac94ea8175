//! `secateur rank`: candidates for calibration data, the best first.

mod candidates;
mod damage;
mod found;
mod judge;
mod order;
mod prepared;
mod reasons;
mod table;

use std::time::Instant;

use anyhow::Context;

use crate::failure::{self, Stopped};
use crate::options::RankOptions;
use crate::recipe::Resolved;
use crate::{output, terminal};
use order::Ranking;
use prepared::Prepared;

/// Judges every candidate and prints them in order.
pub(crate) fn run(options: &RankOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let begun = Instant::now();
    let observer = terminal::observer(options.running.quiet);
    let found = Prepared::new(options, &*observer).and_then(|prepared| {
        let found = judge::judge(&prepared, &*observer)?;
        let digest = prepared.model.digest(&*observer)?.to_owned();
        Ok((prepared, found, digest))
    });
    drop(observer);
    let (prepared, found, digest) = found.map_err(|error| match failure::is_cancelled(&error) {
        // texts that were finished are kept in the cache
        true => Stopped { go_on: resolved.command_line() }.into(),
        false => error,
    })?;
    let ranking = Ranking::new(&prepared, found);
    let report = ranking.report(&prepared, (resolved, &digest), begun.elapsed().as_secs_f64());
    if let Some(path) = &options.report {
        let json = serde_json::to_vec_pretty(&report)?;
        lm::checkpoint::write_durable(path, &json).context("the report")?;
    }
    match options.running.json {
        true => output::json(&report),
        false => output::text(&table::render(&ranking, &prepared, options.format)),
    }
}
