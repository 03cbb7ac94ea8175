//! Which texts are left out of calibration data.

use std::path::PathBuf;

use calib::FilterSettings;
use calib::filters::{Duplicates, PerplexityBand, Repetition};
use clap::Args;

use super::choices;

/// Which texts are left out of calibration data.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Texts that are left out")]
pub(crate) struct FilterOptions {
    /// The share of texts, the most perplexing to the model, that is dropped; 0.2 of the model's own
    /// texts and none of others unless given
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    pub(crate) drop_share: Option<f64>,

    /// Perplexities under the model that are kept; all unless given
    #[arg(long, value_name = "LEAST:MOST", value_parser = choices::band)]
    pub(crate) perplexity_band: Option<PerplexityBand>,

    /// Tokens in a run that counts as repeated where it occurs again in its text
    #[arg(long, value_name = "N", default_value_t = Repetition::default().ngram)]
    pub(crate) repeat_length: usize,

    /// The share of repeated runs above which a text is dropped; 0.2 of the model's own texts, and
    /// none of others, unless given
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    pub(crate) repeat_share: Option<f64>,

    /// Characters that a text has at least
    #[arg(long, value_name = "N", default_value_t = FilterSettings::default().min_characters)]
    pub(crate) min_characters: usize,

    /// Characters that a text has at most; no bound unless given
    #[arg(long, value_name = "N")]
    pub(crate) max_characters: Option<usize>,

    /// The script that most letters of a text must be of: Latin, Cyrillic, Han and so on
    #[arg(long, value_name = "NAME")]
    pub(crate) script: Option<String>,

    /// The share of a text's letters that must be of --script
    #[arg(long, value_name = "SHARE", default_value_t = FilterSettings::default().script_share)]
    pub(crate) script_share: f64,

    /// Whether texts that were there before are dropped
    #[arg(long, value_parser = choices::duplicates(), default_value = "keep")]
    pub(crate) duplicates: Duplicates,

    /// The share of two texts' runs of words above which they are near duplicates
    #[arg(long, value_name = "SHARE", default_value_t = FilterSettings::default().near_share)]
    pub(crate) near_share: f64,

    /// A file whose texts must not be found again, such as one the model is judged on later
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Vec<PathBuf>,

    /// Words in a run that gives a text of --exclude away
    #[arg(long, value_name = "N", default_value_t = FilterSettings::default().exclude_words)]
    pub(crate) exclude_words: usize,
}

impl FilterOptions {
    /// The library's settings.
    pub(super) fn settings(&self) -> FilterSettings {
        FilterSettings {
            min_characters: self.min_characters,
            max_characters: self.max_characters,
            script: self.script.clone(),
            script_share: self.script_share,
            duplicates: self.duplicates,
            near_share: self.near_share,
            exclude: self.exclude.clone(),
            exclude_words: self.exclude_words,
            repetition: Repetition { ngram: self.repeat_length, share: self.repeat_share },
            drop_share: self.drop_share,
            perplexity: self.perplexity_band,
        }
    }
}
