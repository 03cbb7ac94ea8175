//! How the model draws its next token.

use clap::Args;
use lm::generation::Sampling;

/// How the model draws its next token.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Text the model writes")]
pub(crate) struct SamplingOptions {
    /// Divides the logits; 0 always takes the most probable token
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "T",
        default_value_t = Sampling::default().temperature,
    )]
    pub(crate) temperature: f32,

    /// Keep this many of the most probable tokens; 0 keeps all
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "K",
        default_value_t = Sampling::default().top_k,
    )]
    pub(crate) top_k: usize,

    /// Keep the most probable tokens that together reach this probability
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "P",
        default_value_t = Sampling::default().top_p,
    )]
    pub(crate) top_p: f32,

    /// Makes tokens that were already written less probable; 1 changes nothing
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "R",
        default_value_t = Sampling::default().repetition_penalty,
    )]
    pub(crate) repetition_penalty: f32,
}

impl SamplingOptions {
    /// The library's parameters, checked.
    ///
    /// # Errors
    /// When one is outside its range; the error names it.
    pub(crate) fn sampling(&self) -> lm::Result<Sampling> {
        let sampling = Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            repetition_penalty: self.repetition_penalty,
        };
        sampling.validate()?;
        Ok(sampling)
    }
}
