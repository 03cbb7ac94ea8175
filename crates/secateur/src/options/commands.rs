//! The commands and their options.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::{
    CalibrationOptions, DivergenceOptions, EvaluationOptions, ModelOptions, PruningOptions,
    RankOptions, RecipeOptions, RunningOptions, SamplingOptions, TaskOptions, tasks::Format,
};
use crate::commands::help;

/// Prunes large language models after training, on one machine, without their training data.
#[derive(Debug, Parser)]
#[command(name = "secateur", version, max_term_width = 100, after_help = help::TOP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prune a model and write it as a Hugging Face folder
    #[command(after_help = help::PRUNE)]
    Prune(Box<PruneOptions>),
    /// Make calibration data and save it
    #[command(after_help = help::CALIBRATE)]
    Calibrate(Box<CalibrateOptions>),
    /// Order candidates for calibration data by how well they suit a model
    #[command(after_help = help::RANK)]
    Rank(Box<RankOptions>),
    /// Measure a model, or compare two
    #[command(after_help = help::EVAL)]
    Eval(Box<EvalOptions>),
    /// Prune and measure over a grid of options, with the spread over seeds
    #[command(after_help = help::STUDY)]
    Study(StudyOptions),
    /// Continue a prompt
    #[command(after_help = help::GENERATE)]
    Generate(Box<GenerateOptions>),
    /// Show what a checkpoint or a calibration set holds
    #[command(after_help = help::INSPECT)]
    Inspect(Box<InspectOptions>),
    /// List what can be chosen from
    #[command(after_help = help::LIST)]
    List(ListOptions),
    /// Explain one entry of a list: what it does, when to use it, its cost
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainOptions),
    /// Run a recipe file
    #[command(after_help = help::RUN)]
    Run(RunOptions),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsOptions),
}

/// Options of `prune`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PruneOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,

    /// The folder to write; it appears under this name when it is complete
    #[arg(long, short, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Go on with an unfinished run into the same folder
    #[arg(long)]
    pub(crate) resume: bool,

    /// Replace what the output folder holds
    #[arg(long)]
    pub(crate) force: bool,

    /// Check everything, print the plan, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) pruning: PruningOptions,

    #[command(flatten)]
    pub(crate) calibration: CalibrationOptions,

    #[command(flatten)]
    pub(crate) evaluation: EvaluationOptions,

    #[command(flatten)]
    pub(crate) divergence: DivergenceOptions,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// Options of `calibrate`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CalibrateOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,

    /// The file to write (.safetensors); a readable .jsonl comes beside it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Replace the file
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) calibration: CalibrationOptions,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// Options of `eval`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,

    /// A second model, as a rule the first one pruned: both are measured and compared
    pub(crate) pruned: Option<String>,

    /// How the results are laid out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write the results as JSON to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) tasks: TaskOptions,

    #[command(flatten)]
    pub(crate) evaluation: EvaluationOptions,

    #[command(flatten)]
    pub(crate) divergence: DivergenceOptions,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// Options of `generate`.
#[derive(Args, Clone, Debug)]
pub(crate) struct GenerateOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,

    /// The text to continue; without it the model begins a text of its own
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    pub(crate) prompt: String,

    /// Tokens to write at most
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) max_tokens: usize,

    /// Seed of the draws: the same seed gives the same text
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// Options of `inspect`.
#[derive(Args, Clone, Debug)]
pub(crate) struct InspectOptions {
    /// A Hugging Face folder, a .gguf file, a hub id, or a saved calibration set
    pub(crate) model: String,

    /// Read every weight and fail if one is NaN or infinite
    #[arg(long)]
    pub(crate) check: bool,

    /// Use what the hub's cache holds and never the network
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) running: RunningOptions,

    #[command(flatten)]
    pub(crate) recipe: RecipeOptions,
}

/// Options of `study`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StudyOptions {
    /// The study: a TOML file; its table `prune` holds what all cells share, `grid` what varies
    pub(crate) study: PathBuf,

    /// The folder for the results, one file per cell; those that are there are not run again
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) output: PathBuf,

    /// How the closing table is laid out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// List the cells and which have a result, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) running: RunningOptions,
}

/// Options of `list`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListOptions {
    /// What to list; everything unless given
    #[arg(value_parser = crate::commands::topics::names())]
    pub(crate) topic: Option<String>,

    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `explain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainOptions {
    /// The entry, as `secateur list` shows it
    pub(crate) name: String,
}

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunOptions {
    /// The recipe: a TOML file with one table, named after a command
    pub(crate) recipe: PathBuf,

    /// Options of the recipe's command; they take the place of the recipe's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) overrides: Vec<OsString>,
}

/// Options of `completions`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CompletionsOptions {
    /// The shell
    pub(crate) shell: Shell,
}

impl Command {
    /// How it uses the machine; nothing for commands that do no work.
    pub(crate) fn running(&self) -> Option<&RunningOptions> {
        match self {
            Command::Prune(options) => Some(&options.running),
            Command::Calibrate(options) => Some(&options.running),
            Command::Rank(options) => Some(&options.running),
            Command::Eval(options) => Some(&options.running),
            Command::Study(options) => Some(&options.running),
            Command::Generate(options) => Some(&options.running),
            Command::Inspect(options) => Some(&options.running),
            Command::List(_) | Command::Explain(_) | Command::Run(_) | Command::Completions(_) => {
                None
            }
        }
    }

    /// Whether it is to be printed as a recipe and not carried out.
    pub(crate) fn prints_recipe(&self) -> bool {
        match self {
            Command::Prune(options) => options.recipe.print_recipe,
            Command::Calibrate(options) => options.recipe.print_recipe,
            Command::Rank(options) => options.recipe.print_recipe,
            Command::Eval(options) => options.recipe.print_recipe,
            Command::Generate(options) => options.recipe.print_recipe,
            Command::Inspect(options) => options.recipe.print_recipe,
            Command::Study(_)
            | Command::List(_)
            | Command::Explain(_)
            | Command::Run(_)
            | Command::Completions(_) => false,
        }
    }
}
