//! `secateur completions`: a script for a shell.

use crate::options::{CompletionsOptions, declared};
use crate::output;

/// Prints the completion script.
pub(crate) fn run(options: &CompletionsOptions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut declared(), "secateur", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
