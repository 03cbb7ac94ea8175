//! What calibration data is wanted.

use std::{fmt, path::Path, str::FromStr};

use data::{BadRecords, Split};
use lm::Spec;
use serde::{Deserialize, Serialize};

use crate::{
    DatasetSettings, Error, FilterSettings, Packing, Result, SelectionSettings, SynthesisSettings,
    sources, synthesis,
};

/// Sequences drawn unless told otherwise.
const SAMPLES: usize = 128;

/// Tokens in a sequence unless told otherwise, where the model's context allows it.
const LENGTH: usize = 2048;

/// What calibration data is wanted. Absent settings take the defaults named beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// `self` for text the model writes (`self/STRATEGY` names how), `random` or `random-text` for controls, a hub data set, or
    /// the path of a file, a folder, a pattern, `-` for standard input, or a saved calibration set
    /// (`.safetensors`). Of a mixture, its portions as people read them.
    pub source: String,
    /// The portions, where sequences come from several sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mixture: Vec<Portion>,
    /// Number of sequences; 128, or all of a saved set, or the sum of the portions.
    pub samples: Option<usize>,
    /// Tokens in each sequence; 2048 or the model's context if that is shorter, or the length of a
    /// saved set.
    pub length: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
    /// How sequences are cut; from one stream for a text file, by documents otherwise.
    pub packing: Option<Packing>,
    /// The field of a record that holds the text; found by its name when absent. With the source
    /// `self` it speaks of the prefix file.
    pub field: Option<String>,
    /// How a text file is cut into documents; the whole file is one when absent. With the source
    /// `self` it speaks of the prefix file.
    pub split: Option<Split>,
    /// Documents that are read at most, from the beginning; all when absent. With the source `self` it
    /// speaks of the prefix file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<usize>,
    /// What is done about records that cannot be used.
    pub bad_records: BadRecords,
    /// Which part of a hub data set is read.
    pub dataset: DatasetSettings,
    /// Which texts are left out.
    pub filters: FilterSettings,
    /// How the model writes, where the source is `self`.
    pub synthesis: SynthesisSettings,
    /// Which sequences of a larger draw are kept.
    #[serde(skip_serializing_if = "SelectionSettings::is_none")]
    pub selection: SelectionSettings,
}

/// One source of a mixture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portion {
    /// What [`Recipe::source`] would be.
    pub source: String,
    /// Number of sequences; an even share of what the others leave when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

impl FromStr for Portion {
    type Err = Error;

    /// Reads `SOURCE` or `SOURCE:SEQUENCES`. A file that is called so as a whole is that file.
    fn from_str(text: &str) -> Result<Self> {
        let whole = || Self { source: text.into(), samples: None };
        let Some((source, count)) = text.rsplit_once(':') else { return Ok(whole()) };
        let is_count = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        if source.is_empty() || !is_count || Path::new(text).exists() {
            return Ok(whole());
        }
        match count.parse() {
            Ok(samples @ 1..) => Ok(Self { source: source.into(), samples: Some(samples) }),
            _ => Err(Error::setting(
                "calibration",
                format!("{text}: a number of sequences from 1 up expected, {count} found"),
            )),
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.samples {
            Some(samples) => write!(formatter, "{}:{samples}", self.source),
            None => formatter.write_str(&self.source),
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            source: "self".into(),
            mixture: Vec::new(),
            samples: None,
            length: None,
            seed: 0,
            packing: None,
            field: None,
            split: None,
            documents: None,
            bad_records: BadRecords::default(),
            dataset: DatasetSettings::default(),
            filters: FilterSettings::default(),
            synthesis: SynthesisSettings::default(),
            selection: SelectionSettings::default(),
        }
    }
}

/// Sizes of the sequences with every default filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Number of sequences.
    pub(crate) samples: usize,
    /// Tokens in each.
    pub(crate) length: usize,
    /// Seed of the draws.
    pub(crate) seed: u64,
}

impl Recipe {
    /// The recipe for `source` with every other setting at its default.
    pub fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// The recipe for one portion, or for a mixture of several.
    pub fn of_portions(portions: Vec<Portion>) -> Self {
        let names: Vec<String> = portions.iter().map(Portion::to_string).collect();
        match <[Portion; 1]>::try_from(portions) {
            Ok([Portion { source, samples }]) => Self { samples, ..Self::of(source) },
            Err(mixture) => Self { mixture, ..Self::of(names.join(" + ")) },
        }
    }

    /// The sources: one, or those of the mixture.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let one = self.mixture.is_empty().then_some(self.source.as_str());
        one.into_iter().chain(self.mixture.iter().map(|portion| portion.source.as_str()))
    }

    /// The recipe with those settings alone that mean something to its source; of a mixture, unchanged:
    /// every portion takes those of its own.
    ///
    /// # Errors
    /// When no source accepts its name.
    pub fn of_use(&self) -> Result<Self> {
        let mut recipe = self.clone();
        if !self.mixture.is_empty() {
            return Ok(recipe);
        }
        let uses = sources::of(&self.source)?.uses();
        let plain = Self::default();
        if !uses.synthesis {
            recipe.synthesis = plain.synthesis;
        } else if !self.takes_prefixes() {
            recipe.synthesis = recipe.synthesis.without_prefixes();
        }
        if !uses.dataset {
            recipe.dataset = plain.dataset;
        }
        if !uses.documents {
            recipe.packing = None;
        }
        if !uses.filters {
            recipe.filters = plain.filters;
        }
        let file = match uses.documents {
            true => Some(Path::new(&self.source)),
            false => recipe.synthesis.prefix_file.as_deref(),
        };
        let (records, text) = match file {
            None => (false, false),
            Some(_) if uses.dataset => (true, false),
            Some(file) => kinds(file),
        };
        if !records {
            recipe.field = None;
        }
        if !text {
            recipe.split = None;
        }
        if file.is_none() {
            recipe.documents = None;
            recipe.bad_records = plain.bad_records;
        }
        Ok(recipe)
    }

    /// Whether the way the model writes begins with prefixes.
    fn takes_prefixes(&self) -> bool {
        let strategy = sources::strategy(&self.source).unwrap_or(&self.synthesis.strategy);
        synthesis::find(strategy).is_ok_and(|strategy| strategy.takes_prefixes())
    }

    /// The number of sequences that is asked for.
    pub(crate) fn count(&self) -> usize {
        self.samples.unwrap_or(SAMPLES)
    }

    /// The windows that are asked for, checked against the model.
    ///
    /// # Errors
    /// When there would be none, or one would be longer than the model's context.
    pub(crate) fn windows(&self, spec: &Spec) -> Result<Windows> {
        let samples = self.count();
        if samples == 0 {
            return Err(Error::setting("samples", "at least 1 expected, 0 found"));
        }
        let length = self.length.unwrap_or(LENGTH.min(spec.context));
        if length < 2 || length > spec.context {
            return Err(Error::setting(
                "length",
                format!("2 to {} (the model's context) expected, {length} found", spec.context),
            ));
        }
        Ok(Windows { samples, length, seed: self.seed })
    }

    /// Documents that are read at most.
    ///
    /// # Errors
    /// When there would be none.
    pub(crate) fn most_documents(&self) -> Result<usize> {
        match self.documents {
            Some(0) => Err(Error::setting("documents", "at least 1 expected, 0 found")),
            documents => Ok(documents.unwrap_or(usize::MAX)),
        }
    }

    /// Refuses a setting that the source has no use for.
    pub(crate) fn refuse(&self, setting: &'static str, given: bool, source: &str) -> Result<()> {
        match given {
            false => Ok(()),
            true => Err(Error::setting(
                setting,
                format!("the source {:?} ({source}) has no use for it; leave it out", self.source),
            )),
        }
    }

    /// Refuses settings of self-generation for a source that is another.
    pub(crate) fn refuse_synthesis(&self, source: &str) -> Result<()> {
        self.refuse("synthesis", self.synthesis != SynthesisSettings::default(), source)
    }

    /// Refuses settings of a hub data set for a source that is another.
    pub(crate) fn refuse_dataset(&self, source: &str) -> Result<()> {
        self.refuse("dataset", self.dataset != DatasetSettings::default(), source)
    }

    /// Refuses settings of documents for a source that has none.
    pub(crate) fn refuse_documents(&self, source: &str) -> Result<()> {
        self.refuse("packing", self.packing.is_some(), source)?;
        self.refuse("field", self.field.is_some(), source)?;
        self.refuse("split", self.split.is_some(), source)?;
        self.refuse("documents", self.documents.is_some(), source)?;
        self.refuse("bad_records", self.bad_records != BadRecords::default(), source)?;
        self.refuse_dataset(source)
    }

    /// Refuses filters for a source whose sequences are what they are.
    pub(crate) fn refuse_filters(&self, source: &str) -> Result<()> {
        self.refuse("filters", self.filters != FilterSettings::default(), source)
    }

    /// How files are read.
    pub(crate) fn reading(&self) -> data::Options {
        data::Options {
            field: self.field.clone(),
            split: self.split,
            bad_records: self.bad_records,
        }
    }
}

/// Whether records, and whether plain text, are among the files of `path`: both where that is not known
/// before it is read.
fn kinds(path: &Path) -> (bool, bool) {
    let files = data::files(path).unwrap_or_default();
    let formats = files.iter().filter_map(|file| data::formats::find(file).ok());
    let records: Vec<bool> = formats.map(|format| format.has_fields()).collect();
    match records.is_empty() {
        true => (true, true),
        false => (records.contains(&true), records.contains(&false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_read_with_their_numbers() {
        let read = |text: &str| text.parse::<Portion>().map(|p| (p.source, p.samples));
        assert_eq!(read("self:64").unwrap(), ("self".into(), Some(64)));
        assert_eq!(read("c4").unwrap(), ("c4".into(), None));
        assert_eq!(read("hub:owner/name").unwrap(), ("hub:owner/name".into(), None));
        assert_eq!(read("C:\\a.txt").unwrap(), ("C:\\a.txt".into(), None));
        assert!(read("self:0").unwrap_err().to_string().contains("from 1 up expected"));
        assert!(read("self:99999999999999999999999").is_err());
    }

    #[test]
    fn one_portion_is_no_mixture() {
        let of = |texts: &[&str]| {
            Recipe::of_portions(texts.iter().map(|text| text.parse().unwrap()).collect())
        };
        let one = of(&["self:64"]);
        assert_eq!((one.source.as_str(), one.samples, one.mixture.len()), ("self", Some(64), 0));
        let two = of(&["self:64", "a.txt"]);
        assert_eq!((two.source.as_str(), two.mixture.len()), ("self:64 + a.txt", 2));
        assert_eq!(two.sources().collect::<Vec<_>>(), ["self", "a.txt"]);
    }
}
