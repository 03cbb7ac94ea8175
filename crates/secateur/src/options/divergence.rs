//! What two models are compared on.

use clap::Args;

/// What two models are compared on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Divergence from the dense model")]
pub(crate) struct DivergenceOptions {
    /// Measure how far the predictions of the pruned model are from those of the dense one, on text
    /// the dense model writes (self) or on a text; off to leave it out
    ///
    /// Mean Kullback-Leibler divergence per token and agreement on the most probable token. Needs
    /// no data. auto: measured for the model in the box, and where two models are given and nothing
    /// else is asked for.
    #[arg(long, value_name = "auto|off|self|FILE", default_value = "auto")]
    pub(crate) divergence: String,

    /// Sequences the models are compared on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 32,
        value_parser = clap::value_parser!(u32).range(1..),
    )]
    pub(crate) divergence_sequences: u32,

    /// Tokens in each of them; 512 or the model's context if that is shorter
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) divergence_length: Option<u32>,

    /// Seed of the text the dense model writes
    #[arg(long, value_name = "SEED", default_value_t = 1_000_000)]
    pub(crate) divergence_seed: u64,
}
