//! Data sets of a hub: which files of them are read.

use std::path::{Path, PathBuf};

use lm::{Observer, hub};
use serde::{Deserialize, Serialize};

use crate::{Error, Recipe, Result, Workspace};

/// What stands before the id of a data set.
pub(crate) const SCHEME: &str = "hub:";

/// Which part of a hub data set is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetSettings {
    /// The configuration, where the data set has several; the preset's own when absent.
    pub config: Option<String>,
    /// The split; `train` or the preset's own when absent.
    pub split: Option<String>,
    /// Files that are downloaded at most, in the order of their names.
    pub shards: usize,
}

impl Default for DatasetSettings {
    fn default() -> Self {
        Self { config: None, split: None, shards: 1 }
    }
}

/// A data set that has a short name.
pub struct Preset {
    /// The name users give.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    id: &'static str,
    config: Option<&'static str>,
    split: &'static str,
    field: Option<&'static str>,
}

/// Every preset, in the order they are listed to users.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "c4",
        summary: "web pages (allenai/c4, English): what published pruning is calibrated with",
        id: "allenai/c4",
        config: Some("en"),
        split: "train",
        field: Some("text"),
    },
    Preset {
        name: "wikipedia",
        summary: "articles (wikimedia/wikipedia, English, 1 November 2023)",
        id: "wikimedia/wikipedia",
        config: Some("20231101.en"),
        split: "train",
        field: Some("text"),
    },
    Preset {
        name: "slimpajama",
        summary: "a cleaned mixture of web, books and code (cerebras/SlimPajama-627B)",
        id: "cerebras/SlimPajama-627B",
        config: None,
        split: "train",
        field: Some("text"),
    },
    Preset {
        name: "dclm",
        summary: "filtered web pages (mlfoundations/dclm-baseline-1.0)",
        id: "mlfoundations/dclm-baseline-1.0",
        config: None,
        split: "global-shard_01_of_10",
        field: Some("text"),
    },
    Preset {
        name: "fineweb-edu",
        summary: "educational web pages (HuggingFaceFW/fineweb-edu, sample of ten billion tokens)",
        id: "HuggingFaceFW/fineweb-edu",
        config: Some("10BT"),
        split: "sample",
        field: Some("text"),
    },
    Preset {
        name: "alpaca",
        summary: "instructions with answers (tatsu-lab/alpaca)",
        id: "tatsu-lab/alpaca",
        config: None,
        split: "train",
        field: Some("instruction+input+output"),
    },
    Preset {
        name: "gsm8k",
        summary: "grade-school mathematics with worked answers (openai/gsm8k)",
        id: "openai/gsm8k",
        config: Some("main"),
        split: "train",
        field: Some("question+answer"),
    },
    Preset {
        name: "wikitext2",
        summary: "Wikipedia articles (Salesforce/wikitext, wikitext-2-raw-v1)",
        id: "Salesforce/wikitext",
        config: Some("wikitext-2-raw-v1"),
        split: "train",
        field: Some("text"),
    },
];

/// Whether a recipe reads hub data sets.
pub fn needed(recipe: &Recipe) -> bool {
    recipe.sources().any(Dataset::is_named)
}

/// A part of a data set, every default filled in.
pub(crate) struct Dataset {
    id: hub::DatasetId,
    config: Option<String>,
    split: String,
    shards: usize,
    /// The field that holds the text, where the preset knows it.
    pub(crate) field: Option<&'static str>,
}

impl Dataset {
    /// Whether `source` names a data set: a preset, `hub:` and an id.
    pub(crate) fn is_named(source: &str) -> bool {
        source.starts_with(SCHEME)
            || (PRESETS.iter().any(|preset| preset.name == source) && !Path::new(source).exists())
    }

    /// The data set that `source` names.
    ///
    /// # Errors
    /// When the id is none, or no shard is asked for.
    pub(crate) fn of(source: &str, settings: &DatasetSettings) -> Result<Self> {
        if settings.shards == 0 {
            return Err(Error::setting("shards", "at least 1 expected, 0 found"));
        }
        let preset = PRESETS.iter().find(|preset| preset.name == source);
        let id = preset.map_or(source.strip_prefix(SCHEME).unwrap_or(source), |preset| preset.id);
        let config = preset.and_then(|preset| preset.config).map(Into::into);
        let split = preset.map_or("train", |preset| preset.split).to_owned();
        Ok(Self {
            id: id.parse()?,
            config: settings.config.clone().or(config),
            split: settings.split.clone().unwrap_or(split),
            shards: settings.shards,
            field: preset.and_then(|preset| preset.field),
        })
    }

    /// The files on this machine, downloaded where the hub's cache does not hold them.
    pub(crate) fn files(
        &self,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<PathBuf>> {
        let options = workspace.hub.ok_or_else(|| {
            Error::setting("calibration", format!("{}: no hub is at hand", self.id))
        })?;
        let choose = |names: &[&str]| self.choose(names);
        Ok(hub::files(&self.id, options, &choose, observer)?)
    }

    /// The first shards of the split, or why there are none.
    fn choose(&self, names: &[&str]) -> std::result::Result<Vec<String>, String> {
        let readable =
            |name: &&&str| data::formats::find(Path::new(name)).is_ok_and(|f| f.has_fields());
        let data: Vec<&str> = names.iter().filter(readable).copied().collect();
        let mut chosen: Vec<String> =
            data.iter().filter(|name| self.wants(name)).map(|name| (*name).to_owned()).collect();
        if chosen.is_empty() {
            let config = self.config.as_ref().map_or(String::new(), |c| format!("config {c}, "));
            let shown = data.iter().take(8).copied().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "none of its {} data files is of {config}split {}; the first are {}",
                data.len(),
                self.split,
                if shown.is_empty() { "none" } else { &shown }
            ));
        }
        chosen.sort();
        chosen.truncate(self.shards);
        Ok(chosen)
    }

    /// Whether a file is of the configuration and the split: both stand in its path as words.
    fn wants(&self, name: &str) -> bool {
        let config = self.config.as_ref();
        let in_config = |part: &str| config.is_none_or(|config| part == config);
        let folders = || name.split('/').rev().skip(1);
        let file = name.rsplit('/').next().unwrap_or(name);
        let stem = file.split('.').next().unwrap_or(file);
        let words = |text: &str, word: &str| text.split(['-', '_']).any(|one| one == word);
        let config_fits = folders().any(in_config)
            || config.is_none_or(|config| {
                stem.strip_prefix(config.as_str()).is_some_and(|rest| rest.starts_with(['-', '_']))
            });
        let split_fits = words(stem, &self.split) || folders().any(|folder| folder == self.split);
        config_fits && split_fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        source: &str,
        settings: &DatasetSettings,
        names: &[&str],
    ) -> std::result::Result<Vec<String>, String> {
        Dataset::of(source, settings).unwrap().choose(names)
    }

    #[test]
    fn presets_find_their_files_as_the_hub_names_them() {
        for (preset, expected, others) in [
            (
                "c4",
                "en/c4-train.00000-of-01024.json.gz",
                &[
                    "en.noblocklist/c4-train.00000-of-01024.json.gz",
                    "en/c4-validation.00000-of-00008.json.gz",
                ][..],
            ),
            (
                "wikipedia",
                "20231101.en/train-00000-of-00041.parquet",
                &["20231101.enm/train-00000-of-00001.parquet"],
            ),
            (
                "slimpajama",
                "train/chunk1/example_train_0.jsonl.zst",
                &["test/chunk1/example_holdout_0.jsonl.zst"],
            ),
            (
                "dclm",
                "global-shard_01_of_10/local-shard_0_of_10/shard_00000000_processed.jsonl.zst",
                &["global-shard_02_of_10/local-shard_0_of_10/shard_00000000_processed.jsonl.zst"],
            ),
            (
                "fineweb-edu",
                "sample/10BT/000_00000.parquet",
                &[
                    "sample/100BT/000_00000.parquet",
                    "data/CC-MAIN-2013-20/train-00000-of-00014.parquet",
                ],
            ),
            ("alpaca", "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet", &["README.md"]),
            (
                "gsm8k",
                "main/train-00000-of-00001.parquet",
                &["main/test-00000-of-00001.parquet", "socratic/train-00000-of-00001.parquet"],
            ),
            (
                "wikitext2",
                "wikitext-2-raw-v1/train-00000-of-00001.parquet",
                &["wikitext-2-v1/train-00000-of-00001.parquet"],
            ),
        ] {
            let names: Vec<&str> = others.iter().copied().chain([expected]).collect();
            let found = chosen(preset, &DatasetSettings::default(), &names).unwrap();
            assert_eq!(found, [expected], "{preset}");
        }
    }

    #[test]
    fn config_split_and_shards_are_chosen() {
        let names = [
            "a/train-1.parquet",
            "a/train-0.parquet",
            "b/train-0.parquet",
            "a/test.jsonl",
            "dataset_infos.json",
        ];
        let settings = |config: Option<&str>, split: Option<&str>, shards| DatasetSettings {
            config: config.map(Into::into),
            split: split.map(Into::into),
            shards,
        };
        let of =
            |config, split, shards| chosen("hub:o/n", &settings(config, split, shards), &names);
        assert_eq!(of(Some("a"), None, 1).unwrap(), ["a/train-0.parquet"]);
        assert_eq!(of(None, None, 9).unwrap().len(), 3);
        assert_eq!(of(Some("a"), Some("test"), 1).unwrap(), ["a/test.jsonl"]);
        let nothing = of(Some("c"), None, 1).unwrap_err();
        assert!(nothing.contains("config c, split train; the first are a/train-1"), "{nothing}");
        assert!(Dataset::of("hub:../etc", &DatasetSettings::default()).is_err());
    }
}
