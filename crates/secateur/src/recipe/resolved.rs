//! A command line as a recipe.

use clap::{ArgMatches, parser::ValueSource};
use serde::Serialize;
use toml::{Table, Value};

use super::{is_flag, is_list, key, options};

/// Every option of a command with the value it has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Resolved {
    /// `{command: {key: value}}`.
    recipe: Table,
    /// The command and the options that were given, as words for a shell.
    #[serde(skip)]
    words: Vec<String>,
}

impl Resolved {
    /// What was read of the command line of `command`.
    pub(crate) fn new(command: &clap::Command, matches: &ArgMatches) -> Self {
        let mut values = Table::new();
        let mut words = vec!["secateur".to_owned(), command.get_name().to_owned()];
        for option in options(command) {
            let Some(value) = value(option, matches) else { continue };
            if matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine) {
                words.extend(given(option, &value));
            }
            values.insert(key(option).to_owned(), value);
        }
        let recipe = Table::from_iter([(command.get_name().to_owned(), Value::Table(values))]);
        Self { recipe, words }
    }

    /// The values of the options, by key.
    pub(crate) fn values(&self) -> &Table {
        let values = self.recipe.values().next().and_then(Value::as_table);
        values.expect("a recipe is made with one table")
    }

    /// The recipe as TOML.
    pub(crate) fn to_toml(&self) -> String {
        self.recipe.to_string()
    }

    /// The command line, as a shell reads it.
    pub(crate) fn command_line(&self) -> String {
        self.words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// The command line with `flag` added where it was not given.
    pub(crate) fn command_line_with(&self, flag: &str) -> String {
        let line = self.command_line();
        if self.words.iter().any(|word| word == flag) { line } else { format!("{line} {flag}") }
    }
}

/// The value of an option, where it has one.
fn value(option: &clap::Arg, matches: &ArgMatches) -> Option<Value> {
    let id = option.get_id().as_str();
    if is_flag(option) {
        return Some(Value::Boolean(matches.get_flag(id)));
    }
    let raw = matches.get_raw(id).into_iter().flatten().map(|word| word.to_string_lossy());
    let mut raw = raw.map(|word| word.into_owned());
    if is_list(option) {
        return Some(Value::Array(raw.map(Value::String).collect()));
    }
    raw.next().map(|word| scalar(&word))
}

/// A number where it reads back as the same text, a text otherwise.
fn scalar(word: &str) -> Value {
    let whole = word.parse::<i64>().ok().filter(|number| number.to_string() == word);
    let real = || word.parse::<f64>().ok().filter(|number| number.to_string() == word);
    match whole {
        Some(number) => Value::Integer(number),
        None => match real().filter(|number| number.is_finite()) {
            Some(number) => Value::Float(number),
            None => Value::String(word.to_owned()),
        },
    }
}

/// The words that give an option its value.
fn given(option: &clap::Arg, value: &Value) -> Vec<String> {
    let flag = format!("--{}", key(option));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Boolean(true) => vec![flag],
        Value::Boolean(false) => Vec::new(),
        Value::Array(values) => values.iter().flat_map(|v| [flag.clone(), text(v)]).collect(),
        value if option.is_positional() => vec![text(value)],
        value => vec![flag, text(value)],
    }
}

/// A word as a POSIX shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_only_where_they_read_back() {
        assert_eq!(scalar("2048"), Value::Integer(2048));
        assert_eq!(scalar("0.5"), Value::Float(0.5));
        for text in ["0.50", "2:4", "50%", "8G", "007", "NaN", "inf", ""] {
            assert_eq!(scalar(text), Value::String(text.into()), "{text}");
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("model.layers.3"), "model.layers.3");
        assert_eq!(quoted("model.layers.*"), "'model.layers.*'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
