//! What is measured of a model.

use std::path::PathBuf;

use clap::Args;

/// What is measured of a model.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Evaluation")]
pub(crate) struct EvaluationOptions {
    /// Measure the perplexity on this text; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) perplexity: Vec<PathBuf>,

    /// Tokens in a window of the perplexity; 2048 or the model's context if that is shorter
    #[arg(
        long,
        value_name = "TOKENS",
        requires = "perplexity",
        value_parser = clap::value_parser!(u32).range(2..),
    )]
    pub(crate) window: Option<u32>,

    /// Score block by block, so that a model larger than memory can be evaluated
    #[arg(long)]
    pub(crate) streamed: bool,
}
