//! Recipes: the options of one command as a TOML table.
//!
//! A recipe is turned into a command line and read as one, and a command line is printed as a
//! recipe from what was read, so both have the same options, defaults and checks.

mod read;
mod resolved;
mod suggestion;

use clap::{Arg, ArgAction};

pub(crate) use read::{scalar, words, words_of_table};
pub(crate) use resolved::{Resolved, quoted};
pub(crate) use suggestion::nearest;

/// Options that say what to do with a recipe, and so are never part of one.
const OUTSIDE: [&str; 3] = ["help", "version", "print_recipe"];

/// The commands that can be run from a recipe: those that can print one.
pub(crate) fn commands(declared: &clap::Command) -> Vec<String> {
    let prints = |command: &&clap::Command| {
        command.get_arguments().any(|option| option.get_id() == "print_recipe")
    };
    declared.get_subcommands().filter(prints).map(|command| command.get_name().into()).collect()
}

/// The options of a command that a recipe may hold, in the order the help shows them.
pub(crate) fn options(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| !OUTSIDE.contains(&option.get_id().as_str()))
}

/// The key of an option: its long name.
pub(crate) fn key(option: &Arg) -> &str {
    option.get_long().unwrap_or(option.get_id().as_str())
}

/// The keys of a group of options.
pub(crate) fn keys<T: clap::Args>() -> Vec<String> {
    let group = T::augment_args(clap::Command::new("group"));
    options(&group).map(key).map(str::to_owned).collect()
}

/// Whether the option is there or not, without a value.
fn is_flag(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// Whether the option may be given several times.
fn is_list(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

#[cfg(test)]
mod contract;
