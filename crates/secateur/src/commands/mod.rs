//! One file per command.

pub(crate) mod help;
pub(crate) mod topics;

mod calibrate;
mod completions;
mod eval;
mod explain;
mod generate;
mod inspect;
mod list;
mod prune;
mod run;

use crate::options::{Command, Invocation};
use crate::setup;

/// Does what a command line asks for.
pub(crate) fn run(invocation: &Invocation) -> anyhow::Result<()> {
    let resolved = &invocation.resolved;
    let running = match &invocation.command {
        Command::List(options) => return list::run(options),
        Command::Explain(options) => return explain::run(options),
        Command::Completions(options) => return completions::run(options),
        Command::Run(options) => return run::run(options),
        Command::Prune(options) => &options.running,
        Command::Calibrate(options) => &options.running,
        Command::Eval(options) => &options.running,
        Command::Generate(options) => &options.running,
        Command::Inspect(options) => &options.running,
    };
    if running.print_recipe {
        return crate::output::text(&resolved.to_toml());
    }
    setup::with_threads(running, || match &invocation.command {
        Command::Prune(options) => prune::run(options, resolved),
        Command::Calibrate(options) => calibrate::run(options, resolved),
        Command::Eval(options) => eval::run(options),
        Command::Generate(options) => generate::run(options),
        Command::Inspect(options) => inspect::run(options),
        _ => Ok(()),
    })
}
