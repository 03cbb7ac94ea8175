//! Parameters of the filters.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Share of the model's own texts that the perplexity filter drops unless told otherwise.
const OWN_DROP_SHARE: f64 = 0.2;

/// Share of repeated runs that the model's own texts may have unless told otherwise.
const OWN_REPEATED: f64 = 0.2;

/// Which texts are left out. The defaults keep every document as it is, and of the model's own texts
/// drop those that loop and the fifth that it finds least probable (Ji et al., ICLR 2025).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSettings {
    /// Characters that a text has at least.
    pub min_characters: usize,
    /// Characters that a text has at most; no bound when absent.
    pub max_characters: Option<usize>,
    /// The script, by its Unicode name, that most letters of a text must be of.
    pub script: Option<String>,
    /// The share of its letters that must be of that script.
    pub script_share: f64,
    /// What counts as said before.
    pub duplicates: Duplicates,
    /// The share of two texts' runs of words above which they are near duplicates.
    pub near_share: f64,
    /// Files whose texts must not be found again: those a model is judged on later.
    pub exclude: Vec<PathBuf>,
    /// Words in a run that gives such a text away.
    pub exclude_words: usize,
    /// Which texts repeat themselves too much.
    pub repetition: Repetition,
    /// Share of the texts that is dropped because the model finds them least probable; 0.2 of its
    /// own texts and none of others when absent.
    pub drop_share: Option<f64>,
    /// Perplexities under the model that are kept; all when absent.
    pub perplexity: Option<PerplexityBand>,
}

/// What counts as said before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Nothing.
    #[default]
    Keep,
    /// A text that is the same but for white space around it.
    Exact,
    /// A text that shares most of its runs of words with another.
    Near,
}

/// Which texts repeat themselves too much to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Repetition {
    /// Tokens in a run that is looked for again.
    pub ngram: usize,
    /// Share of a text's runs that may have occurred in it before; 0.2 of the model's own texts and
    /// any of others when absent.
    pub share: Option<f64>,
}

/// Perplexities that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerplexityBand {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Default for Repetition {
    fn default() -> Self {
        Self { ngram: 8, share: None }
    }
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            min_characters: 0,
            max_characters: None,
            script: None,
            script_share: 0.8,
            duplicates: Duplicates::Keep,
            near_share: 0.8,
            exclude: Vec::new(),
            exclude_words: 13,
            repetition: Repetition::default(),
            drop_share: None,
            perplexity: None,
        }
    }
}

impl FilterSettings {
    /// Settings that keep every text, the model's own among them.
    pub fn none() -> Self {
        let repetition = Repetition { share: Some(1.0), ..Repetition::default() };
        Self { drop_share: Some(0.0), repetition, ..Self::default() }
    }

    /// With the defaults for texts that the model wrote filled in.
    pub(crate) fn for_own(&self) -> Self {
        let mut settings = self.clone();
        settings.drop_share.get_or_insert(OWN_DROP_SHARE);
        settings.repetition.share.get_or_insert(OWN_REPEATED);
        settings
    }

    /// The share of the texts that perplexity drops.
    pub(crate) fn dropped(&self) -> f64 {
        self.drop_share.unwrap_or(0.0)
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// When one is outside its range; the error names it.
    pub(crate) fn validate(&self) -> Result<()> {
        check("drop_share", "0 to 0.9", (0.0..=0.9).contains(&self.dropped()), self.dropped())?;
        check(
            "script_share",
            "0 to 1",
            (0.0..=1.0).contains(&self.script_share),
            self.script_share,
        )?;
        let near = self.near_share;
        check("near_share", "0.5 to 1", (0.5..=1.0).contains(&near), near)?;
        check(
            "exclude_words",
            "3 to 100",
            (3..=100).contains(&self.exclude_words),
            self.exclude_words,
        )?;
        if let Some(most) = self.max_characters {
            check("max_characters", "min_characters or more", most >= self.min_characters, most)?;
        }
        if let Some(PerplexityBand { least, most }) = self.perplexity {
            let sound = least >= 0.0 && least < most;
            check("perplexity", "a band from 0 or more up", sound, format!("{least}:{most}"))?;
        }
        let Repetition { ngram, share } = self.repetition;
        if ngram == 0 || !(0.0..=1.0).contains(&share.unwrap_or(1.0)) {
            let share = share.unwrap_or(1.0);
            let problem = format!(
                "an ngram of at least 1 and a share of 0 to 1 expected, {ngram} and {share} found"
            );
            return Err(Error::setting("repetition", problem));
        }
        self.script.as_deref().map_or(Ok(()), |name| super::script::named(name).map(|_| ()))
    }
}

fn check(
    name: &'static str,
    expected: &str,
    sound: bool,
    found: impl std::fmt::Display,
) -> Result<()> {
    match sound {
        true => Ok(()),
        false => Err(Error::setting(name, format!("{expected} expected, {found} found"))),
    }
}
