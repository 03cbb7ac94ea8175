//! The candidates as recipes.

use std::path::Path;

use anyhow::Context;
use calib::Recipe;

use crate::failure::BadInput;
use crate::options::{RankOptions, SETTINGS};
use crate::setup;

/// What stands between the portions of a mixture.
const AND: &str = " + ";

/// A candidate for calibration data.
pub(super) struct Candidate {
    /// As the user wrote it.
    pub(super) name: String,
    /// What it asks for; the seed is that of the first draw.
    pub(super) recipe: Recipe,
}

/// The candidates that the options name.
///
/// # Errors
/// When they are fewer than two, one is named twice, is not there, or has settings that mean nothing to
/// any.
pub(super) fn candidates(options: &RankOptions) -> anyhow::Result<Vec<Candidate>> {
    let names = &options.candidate;
    if names.len() < 2 {
        let problem = format!("two candidates or more expected, {} found", names.len());
        let hint = "name each with --candidate: self, c4.jsonl, random, a saved set";
        return Err(BadInput::new(problem).hint(hint).into());
    }
    if let Some(place) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
        return Err(BadInput::new(format!("--candidate {}: named twice", names[place])).into());
    }
    let given: Vec<Recipe> =
        names.iter().map(|name| asked(name, options)).collect::<anyhow::Result<_>>()?;
    let used = given.iter().map(Recipe::of_use).collect::<calib::Result<Vec<_>>>()?;
    refuse_idle(&given, &used)?;
    let pairs = names.iter().cloned().zip(used);
    Ok(pairs.map(|(name, recipe)| Candidate { name, recipe }).collect())
}

/// The recipe of a candidate with every setting that was given.
fn asked(name: &str, options: &RankOptions) -> anyhow::Result<Recipe> {
    let portions: Vec<String> = match Path::new(name).exists() {
        true => vec![name.to_owned()],
        false => name.split(AND).map(|portion| portion.trim().to_owned()).collect(),
    };
    let recipe = options.drawing.recipe(&portions);
    let recipe = recipe.with_context(|| format!("--candidate {name}"))?;
    calib::sources::check(&recipe)
        .context(setup::NO_CALIBRATION)
        .with_context(|| format!("--candidate {name}"))?;
    Ok(recipe)
}

/// Refuses settings that mean nothing to any candidate: all candidates are drawn with those that mean
/// something to them.
fn refuse_idle(given: &[Recipe], used: &[Recipe]) -> Result<(), BadInput> {
    let is_served = |same: fn(&Recipe, &Recipe) -> bool| {
        given.iter().zip(used).any(|(given, used)| same(given, used))
    };
    if let Some(idle) = SETTINGS.iter().find(|setting| !is_served(setting.same)) {
        let problem = format!("{} is given, and no candidate has a use for it", idle.name);
        return Err(BadInput::new(problem).hint("leave it out"));
    }
    Ok(())
}
