//! A recipe as a command line.

use std::{ffi::OsString, fs, path::Path};

use anyhow::Context;
use clap::Arg;
use toml::{Table, Value};

use super::{commands, is_flag, is_list, key, options, suggestion};
use crate::failure::BadInput;

/// The words of the command line that the recipe in `path` stands for, with `overrides` after the
/// recipe's own options.
///
/// # Errors
/// When the file cannot be read, is not TOML, does not hold exactly one table named after a
/// command, or has a key or a kind of value that the command does not know.
pub(crate) fn words(
    path: &Path,
    overrides: &[OsString],
    declared: &clap::Command,
) -> anyhow::Result<Vec<OsString>> {
    let read = fs::read_to_string(path);
    let text = read.map_err(|error| BadInput::new(format!("{}: {error}", path.display())))?;
    let words = words_of(&text, overrides, declared);
    words.with_context(|| BadInput::new(format!("{}: not a usable recipe", path.display())))
}

pub(super) fn words_of(
    text: &str,
    overrides: &[OsString],
    declared: &clap::Command,
) -> anyhow::Result<Vec<OsString>> {
    let recipe: Table = text.parse().map_err(|error: toml::de::Error| {
        BadInput::new(error.to_string().trim_end()).hint("a recipe is a TOML file")
    })?;
    words_of_table(&recipe, overrides, declared)
}

/// The words of the command line that a recipe stands for, with `overrides` after its own options.
///
/// # Errors
/// When it does not hold exactly one table named after a command, or has a key or a kind of value that
/// the command does not know.
pub(crate) fn words_of_table(
    recipe: &Table,
    overrides: &[OsString],
    declared: &clap::Command,
) -> anyhow::Result<Vec<OsString>> {
    let (name, values) = single_table(recipe, declared)?;
    let command = declared.find_subcommand(name).expect("the name was looked up");
    let mut words = vec![OsString::from("secateur"), name.into()];
    let mut positional = Vec::new();
    for (name, value) in values {
        let option = find(command, name)?;
        let given = given(option, value).map_err(|problem| {
            BadInput::new(format!("[{}] {name}: {problem}", command.get_name()))
        })?;
        match option.get_index() {
            Some(index) => positional.push((index, given)),
            None => words.extend(given),
        }
    }
    words.extend_from_slice(overrides);
    if !positional.is_empty() {
        positional.sort_by_key(|(index, _)| *index);
        words.push("--".into());
        words.extend(positional.into_iter().flat_map(|(_, given)| given));
    }
    Ok(words)
}

/// The recipe's one table and its name.
fn single_table<'a>(
    recipe: &'a Table,
    declared: &clap::Command,
) -> Result<(&'a str, &'a Table), BadInput> {
    let known = commands(declared);
    let expected = format!("one table of {} expected", bracketed(&known));
    for (name, value) in recipe {
        if !known.contains(name) {
            let nearest = suggestion::nearest(name, known.iter().map(String::as_str));
            let problem = format!("{name:?} is not a command that takes a recipe: {expected}");
            return Err(BadInput::new(problem).hint(suggestion::hint(&nearest, "[", "]")));
        }
        if !value.is_table() {
            return Err(BadInput::new(format!("{name} is not a table: {expected}")));
        }
    }
    let mut tables = recipe.iter().filter_map(|(name, value)| Some((name, value.as_table()?)));
    match (tables.next(), tables.next()) {
        (Some((name, table)), None) => Ok((name, table)),
        (None, _) => Err(BadInput::new(format!("the recipe is empty: {expected}"))),
        (Some((one, _)), Some((other, _))) => {
            Err(BadInput::new(format!("[{one}] and [{other}] found: {expected}"))
                .hint("put each command into a recipe of its own"))
        }
    }
}

fn bracketed(names: &[String]) -> String {
    names.iter().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ")
}

/// The option that a key names.
fn find<'a>(command: &'a clap::Command, name: &str) -> Result<&'a Arg, BadInput> {
    options(command).find(|option| key(option) == name).ok_or_else(|| {
        let nearest = suggestion::nearest(name, options(command).map(key));
        let problem = format!("[{}] has no key {name:?}", command.get_name());
        BadInput::new(problem).hint(suggestion::hint(&nearest, "", ""))
    })
}

/// The words that give an option the recipe's value, or what is wrong with the value.
fn given(option: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    if is_flag(option) {
        return match value {
            Value::Boolean(true) => Ok(vec![format!("--{}", key(option)).into()]),
            Value::Boolean(false) => Ok(Vec::new()),
            other => Err(format!("true or false expected, {other} found")),
        };
    }
    if let (Value::Array(values), true) = (value, is_list(option)) {
        let each = values.iter().map(|value| Ok(word(option, &scalar(value)?)));
        return each.collect();
    }
    Ok(vec![word(option, &scalar(value)?)])
}

fn word(option: &Arg, value: &str) -> OsString {
    if option.is_positional() { value.into() } else { format!("--{}={value}", key(option)).into() }
}

/// A number or a text as a command line states it.
pub(crate) fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        other => Err(format!("a number or a text expected, {} found", other.type_str())),
    }
}
