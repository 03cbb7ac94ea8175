//! What is measured of a model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How a text is cut for the perplexity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolChoice {
    /// One text in windows that do not overlap, the tail dropped: the figure of pruning papers
    Windows,
    /// One text in windows that overlap, so that every token sees some before it
    Strided,
    /// Every document on its own, each token scored, as lm-evaluation-harness does it: word, byte
    /// and per-document figures
    Rolling,
    /// Pages of WikiText as lm-evaluation-harness's task `wikitext` does it: as rolling, the marks of
    /// WikiText's tokenisation taken out; from its plain text or from records with a field `page`
    Wikitext,
}

/// What is measured of a model.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Evaluation")]
pub(crate) struct EvaluationOptions {
    /// Measure the perplexity on this text; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) perplexity: Vec<PathBuf>,

    /// Tokens in a window of the perplexity; 2048 or the model's context if that is shorter, of
    /// rolling and wikitext the context
    #[arg(
        long,
        value_name = "TOKENS",
        requires = "perplexity",
        value_parser = clap::value_parser!(u32).range(2..),
    )]
    pub(crate) window: Option<u32>,

    /// How the text is cut for the perplexity; windows unless given
    #[arg(long, value_enum, requires = "perplexity")]
    pub(crate) perplexity_protocol: Option<ProtocolChoice>,

    /// Tokens between the beginnings of two windows of the strided protocol; half a window unless
    /// given
    #[arg(
        long,
        value_name = "TOKENS",
        requires = "perplexity",
        value_parser = clap::value_parser!(u32).range(1..),
    )]
    pub(crate) stride: Option<u32>,

    /// Score block by block, so that a model larger than memory can be evaluated
    #[arg(long)]
    pub(crate) streamed: bool,
}
