//! The data that an allocation compares its candidates on.

use std::path::Path;

use calib::Portion;
use lm::Model;
use prune::Recipe;

use super::plan::check_source;
use crate::failure::BadInput;
use crate::options::PruneOptions;

/// Added to the seed of the calibration data, so that another draw is made.
const SEED: u64 = 500_000;

/// Sequences, and tokens in each, at most: enough to rank a handful of models.
const SAMPLES: usize = 32;
const LENGTH: usize = 512;

/// The held-out data that `pruning` needs, if any: what `--auto-data` names, or another draw from
/// where the `calibration` data comes from.
///
/// # Errors
/// When data is named and nothing is compared on it, when it is not there, or when the calibration
/// data has no other draw.
pub(super) fn recipe(
    options: &PruneOptions,
    pruning: &Recipe,
    calibration: Option<&calib::Recipe>,
    model: &Model,
) -> anyhow::Result<Option<calib::Recipe>> {
    let named = options.pruning.auto_data.as_deref();
    let Some(calibration) = calibration.filter(|_| pruning.needs_held_out().unwrap_or(false))
    else {
        return match named {
            None => Ok(None),
            Some(_) => {
                let problem = "--auto-data is for --allocation auto, and nothing is compared on it";
                Err(BadInput::new(problem).hint("leave it out, or add --allocation auto").into())
            }
        };
    };
    let recipe = match named {
        Some(source) if is_saved(source) && source != calibration.source => {
            calib::Recipe::of(source) // all of it, as it is
        }
        Some(source) => another_draw(calib::Recipe::of(source), calibration, model)?,
        None => another_draw(calibration.clone(), calibration, model)?,
    };
    check_source(&recipe)?;
    Ok(Some(recipe))
}

/// `recipe` with the sizes and the seed of held-out data.
fn another_draw(
    recipe: calib::Recipe,
    calibration: &calib::Recipe,
    model: &Model,
) -> Result<calib::Recipe, BadInput> {
    let once = |source: &&str| is_saved(source) || data::is_standard_input(Path::new(source));
    if let Some(source) = recipe.sources().find(once) {
        let problem = format!("{source} cannot be drawn from a second time for --allocation auto");
        return Err(BadInput::new(problem).hint("name other data with --auto-data"));
    }
    let portions =
        recipe.mixture.iter().map(|portion| Portion { samples: None, ..portion.clone() });
    let mixture: Vec<Portion> = portions.collect();
    Ok(calib::Recipe {
        samples: Some(SAMPLES.max(mixture.len())),
        length: Some(LENGTH.min(calibration.length.unwrap_or(model.spec().context))),
        seed: calibration.seed.wrapping_add(SEED),
        mixture,
        ..recipe
    })
}

fn is_saved(source: &str) -> bool {
    calib::sources::of(source).is_ok_and(|source| source.name() == "saved")
}
