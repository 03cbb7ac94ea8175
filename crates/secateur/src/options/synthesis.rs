//! How the model writes its own calibration data.

use std::{path::PathBuf, time::Duration};

use calib::{ServerOptions, ServerSettings, SynthesisSettings, sources, synthesis};
use clap::Args;
use lm::generation::Sampling;

use super::choices;
use crate::failure::BadInput;

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

    /// Divides the logits; 0 always takes the most probable token; 0.6, or 1 for other ways to
    /// write than `prefix`, unless given. Given several times, the texts take turns
    #[arg(long, allow_negative_numbers = true, value_name = "T")]
    pub(crate) temperature: Vec<f32>,

    /// Keep this many of the most probable tokens; 0 keeps all; 50, or 0 for other ways to write
    /// than `prefix`, unless given
    #[arg(long, allow_negative_numbers = true, value_name = "K")]
    pub(crate) top_k: Option<usize>,

    /// Keep the most probable tokens that together reach this probability; 0.95, or 1 for other
    /// ways to write than `prefix`, unless given
    #[arg(long, allow_negative_numbers = true, value_name = "P")]
    pub(crate) top_p: Option<f32>,

    /// Makes tokens that were already written less probable; 1 changes nothing; 1.2, or 1 for other
    /// ways to write than `prefix`, unless given
    #[arg(long, allow_negative_numbers = true, value_name = "R")]
    pub(crate) repetition_penalty: Option<f32>,

    /// The OpenAI-compatible server that writes with --synthesis server: its address, such as
    /// http://localhost:8000. Its key, where it wants one, stands in SECATEUR_SERVER_KEY
    #[arg(long, value_name = "URL", requires = "server_model")]
    pub(crate) server: Option<String>,

    /// The name of the model on the server, as http://localhost:8000/v1/models lists it
    #[arg(long, value_name = "NAME", requires = "server")]
    pub(crate) server_model: Option<String>,

    /// Texts that the server is asked for at once; 16 unless given
    #[arg(long, value_name = "N", requires = "server")]
    pub(crate) server_concurrency: Option<usize>,

    /// How often the server is asked again for a text that it failed to give, later and later; 8
    /// unless given
    #[arg(long, value_name = "N", requires = "server")]
    pub(crate) server_retries: Option<u32>,

    /// How long the server may take for one text; 600 unless given
    #[arg(long, value_name = "SECONDS", requires = "server")]
    pub(crate) server_timeout: Option<u64>,
}

impl SynthesisOptions {
    /// The library's settings for `sources`, of which those may name a strategy that the model writes.
    ///
    /// # Errors
    /// When a sampling parameter is outside its range, or is given for several strategies at once.
    pub(super) fn settings<'a>(
        &'a self,
        sources: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<SynthesisSettings> {
        let settings = SynthesisSettings {
            strategy: self.synthesis.clone(),
            prefix_file: self.prefixes.clone(),
            prefix_tokens: self.prefix_tokens,
            server: self
                .server
                .clone()
                .zip(self.server_model.clone())
                .map(|(url, model)| ServerSettings { url, model }),
            ..SynthesisSettings::default()
        };
        let own = synthesis::find(self.strategy(sources)?)?.sampling();
        let sampling = Sampling {
            temperature: self.temperature.first().copied().unwrap_or(own.temperature),
            top_k: self.top_k.unwrap_or(own.top_k),
            top_p: self.top_p.unwrap_or(own.top_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(own.repetition_penalty),
        };
        for &temperature in &self.temperature {
            Sampling { temperature, ..sampling.clone() }.validate()?;
        }
        sampling.validate()?;
        let mixed = self.temperature.len() > 1;
        Ok(SynthesisSettings {
            temperatures: if mixed { self.temperature.clone() } else { Vec::new() },
            sampling: (sampling != own).then_some(sampling),
            ..settings
        })
    }

    /// How a server is spoken to, with the key of the environment.
    ///
    /// # Errors
    /// When the key cannot be sent.
    pub(crate) fn server_options(&self) -> calib::Result<ServerOptions> {
        let own = ServerOptions::default();
        let options = ServerOptions {
            concurrency: self.server_concurrency.unwrap_or(own.concurrency),
            retries: self.server_retries.unwrap_or(own.retries),
            timeout: self.server_timeout.map_or(own.timeout, Duration::from_secs),
            ..own
        };
        match &self.server {
            None => Ok(options),
            Some(_) => options.with_key(|name| std::env::var(name).ok()),
        }
    }

    /// The strategy that sampling is given for.
    fn strategy<'a>(&'a self, sources: impl Iterator<Item = &'a str>) -> Result<&'a str, BadInput> {
        let own = sources.filter(|source| sources::is_own(source));
        let mut strategies: Vec<&str> =
            own.map(|source| sources::strategy(source).unwrap_or(&self.synthesis)).collect();
        strategies.dedup();
        let sampled = !self.temperature.is_empty()
            || self.top_k.is_some()
            || self.top_p.is_some()
            || self.repetition_penalty.is_some();
        if strategies.len() > 1 && sampled {
            let problem = format!(
                "sampling is given for the strategies {} at once, and each has its own",
                strategies.join(" and ")
            );
            return Err(BadInput::new(problem).hint("leave it out, or make saved sets of each"));
        }
        Ok(strategies.first().copied().unwrap_or(&self.synthesis))
    }
}
