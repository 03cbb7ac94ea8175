//! Which sequences of a larger draw are kept: one rule per file.
//!
//! To add a rule, write its file and add its line to [`SELECTIONS`]. A source draws a pool as if all of
//! it were asked for; the rule says which of it stay.

mod cluster;
mod diverse;
mod random;
mod typical;

use lm::Observer;
use serde::{Deserialize, Serialize};

use crate::{CalibrationSet, Error, Recipe, Result, Workspace, sources};

/// Sequences drawn for each that is kept unless told otherwise.
const POOL: usize = 4;

/// How sequences are selected from a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelectionSettings {
    /// Name of the rule; every sequence drawn is kept when absent.
    pub rule: Option<String>,
    /// Sequences drawn for each that is kept; 4 when absent. Needs `rule`.
    pub pool: Option<usize>,
}

/// A pool of sequences to select from.
pub struct Pool<'a> {
    /// Token ids.
    pub sequences: &'a [Vec<u32>],
    /// How many are kept, at most all.
    pub wanted: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// The model they are for, and the memory that may be taken.
    pub workspace: &'a Workspace<'a>,
}

/// What a rule says of a pool.
pub struct Choice {
    /// The places of those that are kept, each once.
    pub kept: Vec<usize>,
    /// The score of every sequence of the pool; none where the rule gives none.
    pub scores: Vec<f64>,
}

/// A rule that selects sequences.
pub trait Selection: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it keeps, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// The sequences that are kept. The same pool, model and seed give the same choice, whatever the
    /// number of threads and the memory.
    ///
    /// # Errors
    /// When the model cannot be run, or the observer cancels.
    fn choose(&self, pool: &Pool<'_>, observer: &dyn Observer) -> Result<Choice>;
}

/// Every rule, in the order they are listed to users.
pub const SELECTIONS: &[&dyn Selection] = &[&random::Random, &typical::Typical, &diverse::Diverse];

/// What was selected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// The rule.
    pub rule: String,
    /// Sequences in the pool.
    pub pool: usize,
    /// The places in the pool of those that were kept, in the order of the sequences.
    pub kept: Vec<usize>,
    /// The score of every sequence of the pool, where the rule gives one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}

/// The rule called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Selection> {
    let find = SELECTIONS.iter().copied().find(|rule| rule.name() == name);
    find.ok_or_else(|| Error::Unknown {
        kind: "selection",
        name: name.into(),
        known: SELECTIONS.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Makes the set of one source, of which the recipe's rule keeps some where it has one.
///
/// # Errors
/// When the source fails, or the settings do not serve.
pub(crate) fn collect(
    recipe: &Recipe,
    workspace: &Workspace<'_>,
    observer: &dyn Observer,
) -> Result<CalibrationSet> {
    let source = sources::of(&recipe.source)?;
    let Some(rule) = recipe.selection.rule()? else {
        return source.collect(recipe, workspace, observer);
    };
    if recipe.samples.is_none() && source.name() == "saved" {
        let problem = "a selection keeps some of a saved set: say how many";
        return Err(Error::setting("samples", problem));
    }
    let wanted = recipe.count();
    let drawn = wanted.saturating_mul(recipe.selection.pool.unwrap_or(POOL));
    observer.note(&format!("{}: {drawn} sequences, {wanted} of which stay", recipe.source));
    let pool =
        Recipe { samples: Some(drawn), selection: SelectionSettings::default(), ..recipe.clone() };
    let set = source.collect(&pool, workspace, observer)?;
    let from = Pool { sequences: &set.sequences, wanted, seed: recipe.seed, workspace };
    let Choice { mut kept, scores } = rule.choose(&from, observer)?;
    kept.sort_unstable();
    let mut chosen = set.keep(&kept);
    chosen.provenance.recipe = recipe.clone();
    let selected = Selected { rule: rule.name().into(), pool: drawn, kept, scores };
    chosen.provenance.selection = Some(selected);
    Ok(chosen)
}

impl SelectionSettings {
    /// Whether nothing is said of a selection.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The rule, where one is asked for; the settings are checked.
    fn rule(&self) -> Result<Option<&'static dyn Selection>> {
        match (&self.rule, self.pool) {
            (None, Some(pool)) => Err(Error::setting(
                "pool",
                format!("{pool} found, and nothing is selected from a pool; choose a selection"),
            )),
            (Some(_), Some(pool @ ..2)) => Err(Error::setting(
                "pool",
                format!("2 or more sequences for each that is kept expected, {pool} found"),
            )),
            (rule, _) => rule.as_deref().map(find).transpose(),
        }
    }
}

impl Selected {
    /// What was selected, in words.
    pub fn describe(&self) -> String {
        format!("{}: {} of {} sequences", self.rule, self.kept.len(), self.pool)
    }
}
