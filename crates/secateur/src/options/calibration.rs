//! What the model is measured on.

use calib::{DatasetSettings, Packing, Portion, Recipe, SelectionSettings};
use clap::Args;
use data::{BadRecords, Split};

use super::{FilterOptions, MODEL_ITSELF, SynthesisOptions, choices};
use crate::recipe;

/// Options that mean something to some sources only, and go with each other.
pub(crate) struct Setting {
    /// What they are called together.
    pub(crate) name: &'static str,
    /// Their keys.
    keys: fn() -> Vec<String>,
    /// Whether two recipes agree on them.
    pub(crate) same: fn(&Recipe, &Recipe) -> bool,
}

/// Every such setting: of what [`Recipe::of_use`] may leave out.
pub(crate) const SETTINGS: [Setting; 9] = [
    Setting {
        name: "--packing",
        keys: || vec!["packing".into()],
        same: |a, b| a.packing == b.packing,
    },
    Setting { name: "--field", keys: || vec!["field".into()], same: |a, b| a.field == b.field },
    Setting { name: "--split", keys: || vec!["split".into()], same: |a, b| a.split == b.split },
    Setting {
        name: "--documents",
        keys: || vec!["documents".into()],
        same: |a, b| a.documents == b.documents,
    },
    Setting {
        name: "--bad-records",
        keys: || vec!["bad-records".into()],
        same: |a, b| a.bad_records == b.bad_records,
    },
    Setting {
        name: "a setting of hub data sets",
        keys: || ["dataset-config", "dataset-split", "dataset-shards"].map(str::to_owned).into(),
        same: |a, b| a.dataset == b.dataset,
    },
    Setting {
        name: "a filter",
        keys: recipe::keys::<FilterOptions>,
        same: |a, b| a.filters == b.filters,
    },
    Setting {
        name: "--prefixes",
        keys: || ["prefixes", "prefix-tokens"].map(str::to_owned).into(),
        same: |a, b| a.synthesis.prefix_file == b.synthesis.prefix_file,
    },
    Setting {
        name: "a setting of text the model writes",
        keys: recipe::keys::<SynthesisOptions>,
        same: |a, b| a.synthesis.without_prefixes() == b.synthesis.without_prefixes(),
    },
];

/// What the model is measured on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calibration data")]
pub(crate) struct CalibrationOptions {
    /// `self` for text the model writes (`self/bos` and the like name how); a file, folder or pattern of text, JSONL, JSON, Parquet or
    /// Arrow, compressed or not; `-` for standard input; a set saved by `secateur calibrate`; a hub
    /// data set (`c4`, `wikipedia` and others, or hub:OWNER/NAME); `random` or `random-text` as
    /// controls. Given several times, with :N sequences of each, for a mixture
    #[arg(long, value_name = "SOURCE[:N]", default_value = MODEL_ITSELF)]
    pub(crate) calibration: Vec<String>,

    #[command(flatten)]
    pub(crate) drawing: DrawingOptions,
}

/// How calibration data is drawn from a source.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calibration data")]
pub(crate) struct DrawingOptions {
    /// Number of sequences; 128, or all of a saved set, or the sum of a mixture, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: Option<u32>,

    /// Tokens in each sequence; 2048 or the model's context if that is shorter, unless given
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) length: Option<u32>,

    /// Seed of every random choice
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,

    /// How text becomes sequences; the source's own choice unless given
    #[arg(long, value_parser = choices::packings())]
    pub(crate) packing: Option<Packing>,

    /// The field of a record that holds the text, several joined by +, or * for all; found by its
    /// name unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,

    /// How a text file is cut into documents; the whole file is one unless given
    #[arg(long, value_parser = choices::splits())]
    pub(crate) split: Option<Split>,

    /// Documents that are read of a source at most, from its beginning; all unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) documents: Option<u32>,

    /// What is done about records that cannot be used
    #[arg(long, value_parser = choices::bad_records(), default_value = "stop")]
    pub(crate) bad_records: BadRecords,

    /// The configuration of a hub data set; the preset's own unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset_config: Option<String>,

    /// The split of a hub data set; train, or the preset's own, unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset_split: Option<String>,

    /// Files of a hub data set that are downloaded at most
    #[arg(long, value_name = "N", default_value_t = DatasetSettings::default().shards)]
    pub(crate) dataset_shards: usize,

    /// Draw more sequences than are wanted and keep some of them; `secateur list selections`
    /// describes the rules
    #[arg(long, value_name = "RULE", value_parser = choices::selections())]
    pub(crate) select: Option<String>,

    /// Sequences drawn for each that --select keeps; 4 unless given
    #[arg(long, value_name = "N", requires = "select")]
    pub(crate) pool: Option<usize>,

    #[command(flatten)]
    pub(crate) filters: FilterOptions,

    #[command(flatten)]
    pub(crate) synthesis: SynthesisOptions,
}

impl CalibrationOptions {
    /// The library's recipe.
    ///
    /// # Errors
    /// As [`DrawingOptions::recipe`].
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        self.drawing.recipe(&self.calibration)
    }

    /// The keys of options that mean nothing to the source.
    ///
    /// # Errors
    /// As [`DrawingOptions::recipe`], and when there is no such source.
    pub(crate) fn idle(&self) -> anyhow::Result<Vec<String>> {
        let given = self.recipe()?;
        let used = given.of_use()?;
        let idle = SETTINGS.iter().filter(|setting| !(setting.same)(&given, &used));
        Ok(idle.flat_map(|setting| (setting.keys)()).collect())
    }
}

impl DrawingOptions {
    /// The library's recipe for the portions `SOURCE` or `SOURCE:N`.
    ///
    /// # Errors
    /// When a sampling parameter is outside its range, or a portion has no number of sequences.
    pub(crate) fn recipe(&self, portions: &[String]) -> anyhow::Result<Recipe> {
        let portions = portions.iter().map(|text| text.parse::<Portion>());
        let recipe = Recipe::of_portions(portions.collect::<calib::Result<Vec<_>>>()?);
        if let (Some(own), Some(given)) = (recipe.samples, self.samples)
            && own != given as usize
        {
            let problem = format!("{given} found, the source asks for {own} sequences");
            return Err(calib::Error::setting("samples", problem).into());
        }
        Ok(Recipe {
            samples: recipe.samples.or(self.samples.map(|samples| samples as usize)),
            length: self.length.map(|length| length as usize),
            seed: self.seed,
            packing: self.packing,
            field: self.field.clone(),
            split: self.split,
            documents: self.documents.map(|documents| documents as usize),
            bad_records: self.bad_records,
            dataset: DatasetSettings {
                config: self.dataset_config.clone(),
                split: self.dataset_split.clone(),
                shards: self.dataset_shards,
            },
            filters: self.filters.settings(),
            synthesis: self.synthesis.settings(recipe.sources())?,
            selection: SelectionSettings { rule: self.select.clone(), pool: self.pool },
            ..recipe
        })
    }
}
