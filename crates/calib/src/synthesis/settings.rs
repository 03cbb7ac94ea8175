//! Parameters of self-generation.

use std::path::PathBuf;

use lm::generation::Sampling;
use serde::{Deserialize, Serialize};

use super::{ServerSettings, Synthesis};
use crate::{Error, Result};

/// Tokens of a prefix unless told otherwise.
const PREFIX_TOKENS: usize = 4;

/// How a model writes its calibration data; the defaults are those of Ji et al., ICLR 2025.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesisSettings {
    /// Name of the strategy.
    pub strategy: String,
    /// Text that prefixes are taken from; without one, every text begins with the model's
    /// beginning-of-text token alone.
    pub prefix_file: Option<PathBuf>,
    /// Tokens of a prefix; 4 unless told otherwise. Needs `prefix_file`.
    pub prefix_tokens: Option<usize>,
    /// How tokens are drawn; the strategy's own way when absent.
    pub sampling: Option<Sampling>,
    /// The server that writes, with the strategy `server`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerSettings>,
    /// Temperatures of a mixture, which the texts take in turn; one temperature when empty.
    pub temperatures: Vec<f32>,
}

impl Default for SynthesisSettings {
    fn default() -> Self {
        Self {
            strategy: "prefix".into(),
            prefix_file: None,
            prefix_tokens: None,
            sampling: None,
            server: None,
            temperatures: Vec::new(),
        }
    }
}

impl SynthesisSettings {
    /// Tokens of a prefix; none without a file to take them from.
    pub fn prefix(&self) -> usize {
        self.prefix_file.as_ref().map_or(0, |_| self.prefix_tokens.unwrap_or(PREFIX_TOKENS))
    }

    /// The settings but for where prefixes come from.
    pub fn without_prefixes(&self) -> Self {
        Self { prefix_file: None, prefix_tokens: None, ..self.clone() }
    }

    /// How tokens are drawn, the strategy's own way filled in.
    ///
    /// # Errors
    /// When there is no such strategy.
    pub fn sampling(&self) -> Result<Sampling> {
        let strategy = super::find(&self.strategy)?;
        Ok(self.sampling.clone().unwrap_or_else(|| strategy.sampling()))
    }

    /// Checks every parameter for texts of `length` tokens.
    ///
    /// # Errors
    /// When one is outside its range; the error names it.
    pub(crate) fn validate(&self, length: usize) -> Result<()> {
        let strategy = super::find(&self.strategy)?;
        let drawn = self.sampling()?;
        drawn.validate()?;
        for &temperature in &self.temperatures {
            Sampling { temperature, ..drawn.clone() }.validate()?;
        }
        self.validate_server(strategy)?;
        if self.prefix_file.is_some() && !strategy.takes_prefixes() {
            let problem =
                format!("the strategy {:?} takes no prefixes; leave it out", self.strategy);
            return Err(Error::setting("prefix_file", problem));
        }
        if self.prefix_tokens.is_some() && self.prefix_file.is_none() {
            let problem = "without prefix_file there is nothing to take a prefix from";
            return Err(Error::setting("prefix_tokens", problem));
        }
        if self.prefix_file.is_some() && !(1..length).contains(&self.prefix()) {
            let most = length - 1;
            let problem = format!("1 to {most} (length − 1) expected, {} found", self.prefix());
            return Err(Error::setting("prefix_tokens", problem));
        }
        Ok(())
    }

    /// Checks that there is a server where one writes, and nowhere else.
    fn validate_server(&self, strategy: &dyn Synthesis) -> Result<()> {
        match &self.server {
            Some(server) if strategy.asks_a_server() => server.validate(),
            Some(_) => {
                let problem = format!("the strategy {:?} asks no server", self.strategy);
                Err(Error::setting("server", problem))
            }
            None if strategy.asks_a_server() => {
                let problem = "the strategy \"server\" needs an address (server) and the name of the \
                               model there (server_model)";
                Err(Error::setting("server", problem))
            }
            None => Ok(()),
        }
    }
}
