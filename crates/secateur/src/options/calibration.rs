//! What the model is measured on.

use calib::{DatasetSettings, Packing, Portion, Recipe};
use clap::Args;
use data::{BadRecords, Split};

use super::{FilterOptions, MODEL_ITSELF, SynthesisOptions, choices};

/// What the model is measured on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calibration data")]
pub(crate) struct CalibrationOptions {
    /// `self` for text the model writes; a file, folder or pattern of text, JSONL, JSON, Parquet or
    /// Arrow, compressed or not; `-` for standard input; a set saved by `secateur calibrate`; a hub
    /// data set (`c4`, `wikipedia` and others, or hub:OWNER/NAME); `random` or `random-text` as
    /// controls. Given several times, with :N sequences of each, for a mixture
    #[arg(long, value_name = "SOURCE[:N]", default_value = MODEL_ITSELF)]
    pub(crate) calibration: Vec<String>,

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

    #[command(flatten)]
    pub(crate) filters: FilterOptions,

    #[command(flatten)]
    pub(crate) synthesis: SynthesisOptions,
}

impl CalibrationOptions {
    /// The library's recipe.
    ///
    /// # Errors
    /// When a sampling parameter is outside its range, or a portion has no number of sequences.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        let portions = self.calibration.iter().map(|text| text.parse::<Portion>());
        let recipe = Recipe::of_portions(portions.collect::<calib::Result<Vec<_>>>()?);
        if let (Some(own), Some(given)) = (recipe.samples, self.samples)
            && own != given as usize
        {
            let problem = format!("{given} found, --calibration asks for {own} sequences");
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
            synthesis: self.synthesis.settings()?,
            ..recipe
        })
    }
}
