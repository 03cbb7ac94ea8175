//! From words to options.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::{Cli, Command};
use crate::recipe::Resolved;

/// A command line that has been understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The command with its options.
    pub(crate) command: Command,
    /// Every option with its value, as a recipe states them.
    pub(crate) resolved: Resolved,
}

impl Invocation {
    /// Reads a command line.
    ///
    /// # Errors
    /// When a word is not understood; also for `--help` and `--version`, whose text is the error's.
    pub(crate) fn parse(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let mut declared = declared();
        let matches = declared.try_get_matches_from_mut(words)?;
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut declared))?;
        Ok(Self { command: cli.command, resolved: resolved(&declared, &matches) })
    }

    /// Reads the words of the command line; ends the program with help, the version or an error
    /// message where that is what they lead to.
    pub(crate) fn from_words(words: Vec<OsString>) -> Self {
        Self::parse(words).unwrap_or_else(|error| error.exit())
    }
}

/// Every command as clap sees it. An option given twice takes its last value.
pub(crate) fn declared() -> clap::Command {
    let mut declared = Cli::command().args_override_self(true);
    for name in crate::recipe::commands(&declared) {
        declared = declared.mut_subcommand(name, |command| command.args_override_self(true));
    }
    declared.build();
    declared
}

fn resolved(declared: &clap::Command, matches: &ArgMatches) -> Resolved {
    let (name, matches) = matches.subcommand().expect("clap asks for a command");
    let command = declared.find_subcommand(name).expect("clap found the command");
    Resolved::new(command, matches)
}
