//! The order of the candidates.

use calib::judging::{Better, SCORES};
use compute::KernelLevel;
use serde::Serialize;
use study::{Difference, Spread, Standing, standings};

use super::found::{Draw, Found, Series};
use super::prepared::Prepared;
use super::reasons::{Field, notes};
use crate::options::DAMAGES;
use crate::recipe::Resolved;
use crate::{setup, system};

/// The candidates in order.
pub(super) struct Ranking {
    pub(super) standings: Vec<Standing>,
    /// What was found, in the order of the candidates.
    pub(super) found: Vec<Found>,
    /// Why each stands where it does, in the order of the standings.
    pub(super) reasons: Vec<Vec<String>>,
    /// What holds for all.
    pub(super) notes: Vec<String>,
}

/// Everything that was found, for programs.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    format: u32,
    version: &'static str,
    recipe: &'a Resolved,
    model: &'a str,
    dtype: &'static str,
    kernel: &'static str,
    yardsticks: Vec<String>,
    seeds: &'a [u64],
    by: &'a str,
    lower_is_better: bool,
    /// The candidates, the best first.
    candidates: Vec<Entry<'a>>,
    notes: &'a [String],
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Entry<'a> {
    candidate: &'a str,
    rank: usize,
    shared: bool,
    spread: Spread,
    behind: Option<Difference>,
    reasons: &'a [String],
    draws: &'a [Draw],
    scores: &'a [Series],
}

impl Ranking {
    /// Orders what was found.
    pub(super) fn new(prepared: &Prepared, found: Vec<Found>) -> Self {
        let by = prepared.by.as_str();
        let values: Vec<Vec<f64>> =
            found.iter().map(|found| found.values(by, None).to_vec()).collect();
        let standings = standings(&values, lower_is_better(by));
        let names: Vec<&str> =
            prepared.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        let labels = prepared.labels();
        let field = Field { by, names: &names, found: &found, labels: &labels };
        let reasons = standings.iter().map(|one| field.reasons(one, &standings[0])).collect();
        let notes = notes(prepared, &found);
        Self { standings, found, reasons, notes }
    }

    /// Everything, for programs.
    pub(super) fn report<'a>(
        &'a self,
        prepared: &'a Prepared,
        (resolved, digest): (&'a Resolved, &'a str),
        seconds: f64,
    ) -> Report<'a> {
        let entry = |(place, standing): (usize, &'a Standing)| Entry {
            candidate: &prepared.candidates[standing.entry].name,
            rank: standing.rank,
            shared: standing.shared,
            spread: standing.spread,
            behind: standing.behind,
            reasons: &self.reasons[place],
            draws: &self.found[standing.entry].draws,
            scores: &self.found[standing.entry].series,
        };
        Report {
            format: 1,
            version: env!("CARGO_PKG_VERSION"),
            recipe: resolved,
            model: digest,
            dtype: setup::precision_name(prepared.model.precision()),
            kernel: KernelLevel::active().name(),
            yardsticks: prepared.labels(),
            seeds: &prepared.seeds,
            by: &prepared.by,
            lower_is_better: lower_is_better(&prepared.by),
            candidates: self.standings.iter().enumerate().map(entry).collect(),
            notes: &self.notes,
            seconds,
            peak_memory_bytes: system::peak_memory(),
        }
    }
}

/// Whether the lower of two values of a score is the better one.
pub(super) fn lower_is_better(score: &str) -> bool {
    let known = SCORES.iter().find(|known| known.name() == score);
    known.is_none_or(|known| known.better() == Better::Lower)
}

/// The scores that were measured, in the order they are shown.
pub(super) fn measured(found: &Found) -> Vec<&'static str> {
    let names = DAMAGES.iter().map(|(name, _)| *name).chain(SCORES.iter().map(|one| one.name()));
    names.filter(|name| !found.values(name, None).is_empty()).collect()
}

/// A figure with a sensible number of digits.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{value:.2e}"),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        10.0.. => format!("{value:.2}"),
        1.0.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_digits_or_so() {
        let shown = [0.012_345, 1.234_5, 12.345, 123.45, 12_345.6, 1.5e9].map(figure);
        assert_eq!(shown, ["0.0123", "1.234", "12.35", "123.5", "12346", "1.50e9"]);
    }
}
