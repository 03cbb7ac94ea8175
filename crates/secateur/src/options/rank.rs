//! Which candidates are judged, and by what.

use std::path::PathBuf;

use clap::Args;

use super::{
    DrawingOptions, ModelOptions, PruningOptions, RecipeOptions, RunningOptions, choices,
    tasks::Format,
};

/// Options of `rank`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RankOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,

    /// A source of calibration data to judge, as `secateur prune --calibration` takes it, once for
    /// each; the portions of a mixture have ` + ` between them: "self:64 + c4.jsonl:64"
    #[arg(long, value_name = "SOURCE")]
    pub(crate) candidate: Vec<String>,

    /// How the results are laid out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write everything that was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) judging: JudgingOptions,

    #[command(flatten)]
    pub(crate) drawing: DrawingOptions,

    #[command(flatten)]
    pub(crate) pruning: PruningOptions,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// What candidates are judged by.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Judging")]
pub(crate) struct JudgingOptions {
    /// Held-out text that the pruned model is to be good at; may be given several times
    ///
    /// Text that the model writes itself (temperature 1, nothing cut off) is a yardstick in any case.
    /// It favours the model's own data and alone foretells little; one text of the web beside it makes the
    /// difference.
    #[arg(long, value_name = "FILE")]
    pub(crate) yardstick: Vec<PathBuf>,

    /// Sequences of every yardstick
    #[arg(
        long,
        value_name = "N",
        default_value_t = 32,
        value_parser = clap::value_parser!(u32).range(1..),
    )]
    pub(crate) yardstick_sequences: u32,

    /// Tokens in each of them; 512 or the model's context if that is shorter
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) yardstick_length: Option<u32>,

    /// Seed of the yardstick that the model writes
    #[arg(long, value_name = "SEED", default_value_t = 1_000_000)]
    pub(crate) yardstick_seed: u64,

    /// Draws of every candidate, with the seeds from --seed on: their spread says which differences
    /// are noise; 1, or 3 with --prune, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: Option<u32>,

    /// What the order is by; input-distance, or damage with --prune, unless given
    #[arg(long, value_name = "SCORE", value_parser = choices::orders())]
    pub(crate) by: Option<String>,

    /// Prune with every draw as well, and measure the damage on every yardstick
    #[arg(long)]
    pub(crate) prune: bool,

    /// Blocks that are pruned for it, spread over the depth; all unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) prune_blocks: Option<u32>,

    /// The folder in which a pruned model lies while it is measured; the system's for temporary files
    /// unless given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scratch: Option<PathBuf>,
}
