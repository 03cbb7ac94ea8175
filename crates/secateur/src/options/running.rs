//! How a command uses the machine and talks to the user.

use clap::Args;

use super::{Size, choices};

/// How a command uses the machine and talks to the user.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Running")]
pub(crate) struct RunningOptions {
    /// Threads to work with; one per core unless given. The results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Memory the work may take, such as 8G or 512MiB (mapped files not counted)
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,

    /// Force the kernels of one instruction set, to repeat another machine's results
    #[arg(long, value_name = "LEVEL", value_parser = choices::kernel_levels())]
    pub(crate) kernel: Option<String>,

    /// Print results as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// No progress and no notes
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Print the options as a recipe for `secateur run`, defaults filled in, and do nothing
    #[arg(long)]
    pub(crate) print_recipe: bool,
}
