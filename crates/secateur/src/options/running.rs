//! How a command works and talks to the user.

use clap::Args;

/// How a command works and talks to the user.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Running")]
pub(crate) struct RunningOptions {
    /// Threads to work with; one per core unless given. The results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Print results as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// No progress and no notes
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What makes a command one that can be run from a recipe.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Running")]
pub(crate) struct RecipeOptions {
    /// Print the options as a recipe for `secateur run`, defaults filled in, and do nothing
    #[arg(long)]
    pub(crate) print_recipe: bool,
}
