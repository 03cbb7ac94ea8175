//! The work: every candidate drawn, shown to the model, and scored.

use anyhow::Context;
use calib::judging::{Exhibit, Measure, SCORES};
use calib::{CalibrationSet, Recipe, Workspace};
use lm::Observer;

use super::candidates::Candidate;
use super::found::{Draw, Found};
use super::prepared::Prepared;
use crate::setup;

/// What is found of every candidate, in their order.
///
/// # Errors
/// When a candidate cannot be drawn, the model cannot be run, or the user stopped it.
pub(super) fn judge(prepared: &Prepared, observer: &dyn Observer) -> anyhow::Result<Vec<Found>> {
    let names = prepared.labels();
    let mut yardsticks = Vec::new();
    for (yardstick, name) in prepared.yardsticks.iter().zip(&names) {
        observer.note(&format!("yardstick: {name}"));
        let sequences = yardstick.sequences(&prepared.model, prepared.memory, observer)?;
        let shown = Exhibit::new(&prepared.model, sequences, prepared.memory, observer);
        yardsticks.push(shown.with_context(|| format!("the yardstick {name}"))?);
    }
    let (candidates, draws) = (&prepared.candidates, prepared.seeds.len());
    let mut found = vec![Found::default(); candidates.len()];
    observer.started("rank", (candidates.len() * draws) as u64);
    for &seed in &prepared.seeds {
        for (candidate, found) in candidates.iter().zip(&mut found) {
            observer.check()?;
            observer.note(&format!("{}, seed {seed}", candidate.name));
            one(prepared, candidate, seed, (&yardsticks, &names), found, observer)
                .with_context(|| format!("the candidate {}", candidate.name))?;
            observer.advanced(1);
        }
    }
    observer.finished();
    Ok(found)
}

/// One draw of one candidate.
fn one(
    prepared: &Prepared,
    candidate: &Candidate,
    seed: u64,
    (yardsticks, names): (&[Exhibit], &[String]),
    found: &mut Found,
    observer: &dyn Observer,
) -> anyhow::Result<()> {
    let set = draw(prepared, candidate, seed, observer)?;
    found.draws.push(Draw::of(&set, seed));
    let shown = Exhibit::new(&prepared.model, set.sequences.clone(), prepared.memory, observer)?;
    for score in SCORES {
        match score.measure() {
            Measure::Set(measure) => found.push(score.name(), measure(&shown)),
            Measure::Yardstick(measure) => {
                let values: Vec<f64> =
                    yardsticks.iter().map(|yardstick| measure(&shown, yardstick)).collect();
                found.push_each(score.name(), names, &values);
            }
        }
    }
    drop(shown);
    match &prepared.pruning {
        Some(pruning) => pruning.measure(prepared, &set, (yardsticks, names), found, observer),
        None => Ok(()),
    }
}

fn draw(
    prepared: &Prepared,
    candidate: &Candidate,
    seed: u64,
    observer: &dyn Observer,
) -> anyhow::Result<CalibrationSet> {
    let recipe = Recipe { seed, ..candidate.recipe.clone() };
    let hub = setup::data_hub(&recipe, prepared.offline)?;
    let workspace = Workspace {
        model: &prepared.model,
        cache: prepared.cache.as_deref(),
        memory: prepared.memory,
        hub: hub.as_ref(),
        server: Some(&prepared.server),
    };
    calib::collect(&recipe, &workspace, observer).context(setup::NO_CALIBRATION)
}
