//! From a recipe to a calibration set.

use std::path::Path;

use lm::{Model, Observer, hub::HubOptions};

use crate::synthesis::ServerOptions;
use crate::{CalibrationSet, Error, Recipe, Result, mixture, selection};

/// What calibration data is made with.
pub struct Workspace<'a> {
    /// The model it is made for; its tokenizer makes the token ids.
    pub model: &'a Model,
    /// Folder in which finished texts and sets are kept between runs; nothing is kept without one.
    pub cache: Option<&'a Path>,
    /// Bytes of memory that generation and scoring may take.
    pub memory: Option<u64>,
    /// Where hub data sets come from; without it there are none.
    pub hub: Option<&'a HubOptions>,
    /// How a server that writes is spoken to; the defaults, without a key, where absent.
    pub server: Option<&'a ServerOptions>,
}

/// Makes the calibration set that `recipe` asks for.
///
/// The same recipe, model and text give the same set, whatever the number of threads.
///
/// # Errors
/// When the source cannot be read or does not hold enough text, a setting does not fit the model or
/// the source, or the observer cancels.
pub fn collect(
    recipe: &Recipe,
    workspace: &Workspace<'_>,
    observer: &dyn Observer,
) -> Result<CalibrationSet> {
    let set = match recipe.mixture.is_empty() {
        true => selection::collect(recipe, workspace, observer)?,
        false => mixture::collect(recipe, workspace, observer)?,
    };
    let (tokens, rows) = (set.provenance.vocabulary, workspace.model.spec().vocabulary);
    if tokens != rows {
        return Err(Error::Set(format!("made for {tokens} embedding rows, the model has {rows}")));
    }
    set.check_tokenizer(&workspace.model.checkpoint().tokenizer)?;
    for note in &set.provenance.notes {
        observer.note(note);
    }
    if let Some(left_out) = set.provenance.left_out() {
        observer.note(&format!("left out: {left_out}"));
    }
    Ok(set)
}
