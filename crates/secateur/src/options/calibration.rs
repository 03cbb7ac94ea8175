//! What the model is measured on.

use std::path::PathBuf;

use calib::{Packing, Recipe, SynthesisSettings, synthesis::Repetition};
use clap::Args;
use data::Split;

use super::{MODEL_ITSELF, SamplingOptions, choices};

/// What the model is measured on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calibration data")]
pub(crate) struct CalibrationOptions {
    /// `self` for text the model writes, `random` for random tokens (a control), or a file or
    /// folder: plain text, JSONL, or a set saved by `secateur calibrate`
    #[arg(long, value_name = "self|random|FILE", default_value = MODEL_ITSELF)]
    pub(crate) calibration: String,

    /// Number of sequences; 128, or all of a saved set, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: Option<u32>,

    /// Tokens in each sequence; 2048 or the model's context if that is shorter, unless given
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) length: Option<u32>,

    /// Seed of every random choice
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,

    /// How text becomes windows: from one stream, or within documents; the source's own choice
    /// unless given
    #[arg(long, value_parser = choices::packings())]
    pub(crate) packing: Option<Packing>,

    /// The field of a JSONL record that holds the text; found by its name unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,

    /// How a text file is cut into documents; the whole file is one unless given
    #[arg(long, value_parser = choices::splits())]
    pub(crate) split: Option<Split>,

    #[command(flatten)]
    pub(crate) synthesis: SynthesisOptions,
}

/// How the model writes its own calibration data.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Text the model writes")]
pub(crate) struct SynthesisOptions {
    /// How the model is made to write
    #[arg(
        long,
        value_parser = choices::syntheses(),
        default_value_t = SynthesisSettings::default().strategy,
    )]
    pub(crate) synthesis: String,

    /// A text file whose passages give each text its first tokens; without it, texts start from the
    /// beginning-of-text token alone
    #[arg(long, value_name = "FILE")]
    pub(crate) prefixes: Option<PathBuf>,

    /// Tokens taken from a passage of --prefixes; 4 unless given
    #[arg(long, value_name = "N", requires = "prefixes")]
    pub(crate) prefix_tokens: Option<usize>,

    /// The share of texts, the most perplexing to the model, that is dropped
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SHARE",
        default_value_t = SynthesisSettings::default().drop_share,
    )]
    pub(crate) drop_share: f64,

    /// Tokens in a run that counts as repeated where it occurs again in its text
    #[arg(long, value_name = "N", default_value_t = Repetition::default().ngram)]
    pub(crate) repeat_length: usize,

    /// The share of repeated runs above which a text is dropped
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SHARE",
        default_value_t = Repetition::default().share,
    )]
    pub(crate) repeat_share: f64,

    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,
}

impl CalibrationOptions {
    /// The library's recipe.
    ///
    /// # Errors
    /// When a sampling parameter is outside its range.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        Ok(Recipe {
            source: self.calibration.clone(),
            samples: self.samples.map(|samples| samples as usize),
            length: self.length.map(|length| length as usize),
            seed: self.seed,
            packing: self.packing,
            field: self.field.clone(),
            split: self.split,
            synthesis: self.synthesis.settings()?,
        })
    }
}

impl SynthesisOptions {
    /// The library's settings.
    ///
    /// # Errors
    /// When a sampling parameter is outside its range.
    fn settings(&self) -> anyhow::Result<SynthesisSettings> {
        Ok(SynthesisSettings {
            strategy: self.synthesis.clone(),
            prefix_file: self.prefixes.clone(),
            prefix_tokens: self.prefix_tokens,
            sampling: self.sampling.sampling()?,
            drop_share: self.drop_share,
            repetition: Repetition { ngram: self.repeat_length, share: self.repeat_share },
        })
    }
}
