//! Where calibration data comes from: one file each.
//!
//! To add a source, write its file and add its line to [`SOURCES`]. A new file format of documents
//! belongs in the crate `data` instead.

mod documents;
mod hub;
mod own;
mod random;
mod random_text;
mod records;
mod saved;
mod text;

use std::path::Path;

use lm::Observer;

use crate::{CalibrationSet, Error, Recipe, Result, Workspace};

/// Somewhere calibration data comes from.
pub trait Source: Sync {
    /// The name users see, and for a source that reads no file what they give.
    fn name(&self) -> &'static str;

    /// What it is, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// Whether it is what [`Recipe::source`] means.
    fn accepts(&self, source: &str) -> bool;

    /// Which settings of a recipe mean something to it: none but the size and the seed unless it says
    /// so.
    fn uses(&self) -> Uses {
        Uses::default()
    }

    /// Refuses a source that is not there, before time is spent on something else.
    ///
    /// # Errors
    /// When it names a file that does not exist.
    fn check(&self, _source: &str) -> Result<()> {
        Ok(())
    }

    /// Makes the set that `recipe` asks for.
    ///
    /// # Errors
    /// When there is not enough text, or a setting does not fit the source or the model.
    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet>;
}

/// Which settings of a recipe mean something to a source, size and seed aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// How documents are read and packed.
    pub documents: bool,
    /// Which part of a hub data set is read.
    pub dataset: bool,
    /// Which texts are left out.
    pub filters: bool,
    /// How the model writes.
    pub synthesis: bool,
}

impl Uses {
    /// What a source of documents uses.
    const DOCUMENTS: Self =
        Self { documents: true, dataset: false, filters: true, synthesis: false };
}

/// Every source, in the order they are listed to users; the first that accepts a name is taken.
pub const SOURCES: &[&dyn Source] = &[
    &own::Own,
    &random::Random,
    &random_text::RandomText,
    &saved::Saved,
    &hub::Hub,
    &records::Records,
    &text::Text,
];

/// The source that a recipe's `source` means.
///
/// # Errors
/// When no source accepts it.
pub fn of(source: &str) -> Result<&'static dyn Source> {
    if let Some(found) = SOURCES.iter().find(|entry| entry.accepts(source)) {
        return Ok(*found);
    }
    // Only files are left; the reader says why it cannot read this one.
    data::formats::find(source.as_ref())?;
    Err(unknown(source))
}

/// The strategy that a source names, where it is `self/STRATEGY`.
pub fn strategy(source: &str) -> Option<&str> {
    let name = source.strip_prefix("self/")?;
    crate::synthesis::find(name).is_ok().then_some(name)
}

/// Whether the model writes the source's text itself.
pub fn is_own(source: &str) -> bool {
    own::Own.accepts(source)
}

/// Refuses a recipe of which a source is not there.
///
/// # Errors
/// When no source accepts a name, or a file does not exist.
pub fn check(recipe: &Recipe) -> Result<()> {
    recipe.sources().try_for_each(|source| of(source)?.check(source))
}

/// Refuses a path at which nothing is.
fn exists(source: &str) -> Result<()> {
    match data::is_standard_input(Path::new(source)) {
        true => Ok(()),
        false => Ok(data::files(Path::new(source)).map(|_| ())?),
    }
}

/// The source called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Source> {
    let find = SOURCES.iter().copied().find(|source| source.name() == name);
    find.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    Error::Unknown {
        kind: "calibration source",
        name: name.into(),
        known: SOURCES.iter().map(|source| source.name()).collect::<Vec<_>>().join(", "),
    }
}
