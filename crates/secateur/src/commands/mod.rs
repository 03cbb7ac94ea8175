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
mod rank;
mod run;
mod study;

use crate::options::{Command, Invocation};
use crate::{output, setup};

/// Does what a command line asks for.
pub(crate) fn run(invocation: &Invocation) -> anyhow::Result<()> {
    if invocation.command.prints_recipe() {
        return output::text(&invocation.resolved.to_toml());
    }
    if let Some(running) = invocation.command.running() {
        setup::begin(running)?;
    }
    let resolved = &invocation.resolved;
    match &invocation.command {
        Command::Prune(options) => prune::run(options, resolved),
        Command::Calibrate(options) => calibrate::run(options, resolved),
        Command::Rank(options) => rank::run(options, resolved),
        Command::Eval(options) => eval::run(options, resolved),
        Command::Study(options) => study::run(options, resolved),
        Command::Generate(options) => generate::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::List(options) => list::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Run(options) => run::run(options),
        Command::Completions(options) => completions::run(options),
    }
}
