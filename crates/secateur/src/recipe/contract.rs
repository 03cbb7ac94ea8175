//! Every option of every command goes through a recipe and comes back.

use std::ffi::OsString;

use clap::{Arg, Command};
use proptest::prelude::*;

use super::{commands, is_flag, is_list, key, options, read};
use crate::options::{Invocation, declared};

/// Values one of which every option takes; no default is among them.
const SAMPLES: [&str; 7] = ["7", "0.25", "4:8", "3G", "c.safetensors", "first:3", "text"];

/// Words that give an option a value that is not its default.
fn words(option: &Arg, command: &Command) -> Vec<OsString> {
    let flag = || OsString::from(format!("--{}", key(option)));
    if is_flag(option) {
        return vec![flag()];
    }
    let possible = option.get_possible_values();
    let defaults = option.get_default_values();
    let named = possible.iter().map(|value| value.get_name().to_owned());
    let candidates: Vec<String> =
        if possible.is_empty() { SAMPLES.map(str::to_owned).into() } else { named.rev().collect() };
    let accepted = |value: &&String| {
        let mut words = required(command, key(option));
        words.extend(given(option, value, &flag));
        Invocation::parse(words).is_ok()
    };
    let new = candidates.iter().filter(|value| !defaults.iter().any(|d| d == value.as_str()));
    let value = new.clone().find(accepted).or(candidates.iter().find(accepted));
    let value = value.unwrap_or_else(|| panic!("no sample value serves {}", key(option)));
    let mut words = given(option, value, &flag);
    if is_list(option) {
        let last = candidates.iter().rev().find(accepted).expect("one was accepted");
        words.extend(given(option, last, &flag));
    }
    words
}

fn given(option: &Arg, value: &str, flag: &dyn Fn() -> OsString) -> Vec<OsString> {
    if option.is_positional() { vec![value.into()] } else { vec![flag(), value.into()] }
}

/// The words every command line of `command` needs, but for the option `but`.
fn required(command: &Command, but: &str) -> Vec<OsString> {
    let mut words = vec!["secateur".into(), OsString::from(command.get_name())];
    for option in options(command).filter(|option| key(option) != but) {
        match key(option) {
            "model" => words.push("somewhere".into()),
            "output" => words.extend(["--output".into(), "there".into()]),
            // what other options depend on
            "perplexity" | "prefixes" | "server" | "server-model" => {
                words.extend([format!("--{}", key(option)).into(), "file.txt".into()]);
            }
            "shots" => words.extend(["--shots".into(), "2".into()]),
            "select" => words.extend(["--select".into(), "random".into()]),
            _ => {}
        }
    }
    words
}

/// A command line through a recipe.
fn round_trip(words: Vec<OsString>) -> (Invocation, Invocation) {
    let invocation = Invocation::parse(words).unwrap_or_else(|error| panic!("{error}"));
    let toml = invocation.resolved.to_toml();
    let words = read::words_of(&toml, &[], &declared());
    let words = words.unwrap_or_else(|error| panic!("{error:?}\n{toml}"));
    let again = Invocation::parse(words).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    (invocation, again)
}

#[test]
fn six_commands_take_recipes() {
    let expected = ["prune", "calibrate", "rank", "eval", "generate", "inspect"];
    assert_eq!(commands(&declared()), expected);
}

#[test]
fn every_option_goes_through_a_recipe_alone() {
    for name in commands(&declared()) {
        let declared = declared();
        let command = declared.find_subcommand(&name).unwrap();
        for option in options(command) {
            let mut line = required(command, key(option));
            line.extend(words(option, command));
            let (first, again) = round_trip(line.clone());
            assert_eq!(first.resolved.to_toml(), again.resolved.to_toml(), "{line:?}");
            assert_eq!(
                format!("{:?}", first.command),
                format!("{:?}", again.command),
                "{name} {}",
                key(option)
            );
            let toml: toml::Table = first.resolved.to_toml().parse().unwrap();
            assert!(toml[&name].get(key(option)).is_some(), "{name} has lost {}", key(option));
        }
    }
}

#[test]
fn every_option_changes_the_options_that_are_read() {
    for name in commands(&declared()) {
        let declared = declared();
        let command = declared.find_subcommand(&name).unwrap();
        for option in options(command).filter(|option| !option.is_positional()) {
            let plain = required(command, key(option));
            let mut line = plain.clone();
            line.extend(words(option, command));
            let Ok(without) = Invocation::parse(plain) else { continue };
            if option.get_possible_values().len() == 1 {
                continue; // a registry of one entry has nothing else to choose
            }
            let with = Invocation::parse(line.clone()).unwrap();
            assert_ne!(format!("{:?}", without.command), format!("{:?}", with.command), "{line:?}");
        }
    }
}

#[test]
fn all_options_go_through_a_recipe_together() {
    for name in commands(&declared()) {
        let declared = declared();
        let command = declared.find_subcommand(&name).unwrap();
        let mut line = vec!["secateur".into(), OsString::from(&name)];
        line.extend(options(command).flat_map(|option| words(option, command)));
        let (first, again) = round_trip(line);
        assert_eq!(format!("{:?}", first.command), format!("{:?}", again.command), "{name}");
        assert_eq!(first.resolved.to_toml(), again.resolved.to_toml(), "{name}");
    }
}

#[test]
fn options_after_the_recipe_take_the_place_of_its_own() {
    let recipe = "[prune]\nmodel = \"m\"\noutput = \"o\"\nsparsity = 0.5\nseed = 3\n";
    let overrides = ["--sparsity", "2:4", "--force"].map(OsString::from);
    let words = read::words_of(recipe, &overrides, &declared()).unwrap();
    let toml = Invocation::parse(words).unwrap().resolved.to_toml();
    assert!(toml.contains("sparsity = \"2:4\"") && toml.contains("force = true"), "{toml}");
    assert!(toml.contains("seed = 3") && toml.contains("model = \"m\""), "{toml}");
}

#[test]
fn wrong_recipes_are_refused_by_key() {
    let refusal = |toml: &str| match read::words_of(toml, &[], &declared()) {
        Ok(words) => panic!("{words:?}"),
        Err(error) => crate::failure::render(&error),
    };
    for (toml, expected) in [
        ("", "the recipe is empty"),
        ("model = 1", "not a command"),
        ("prune = 1", "prune is not a table"),
        ("[prune]\n[eval]", "[prune] and [eval] found"),
        ("[prun]", "did you mean `[prune]`?"),
        ("[list]", "not a command that takes a recipe"),
        ("[prune]\nsparsty = 0.5", "did you mean `sparsity`?"),
        ("[prune]\ntop_k = 5", "did you mean `top-k`?"),
        ("[prune]\nprint-recipe = true", "no key \"print-recipe\""),
        ("[prune]\nforce = \"yes\"", "force: true or false expected, \"yes\" found"),
        ("[prune]\nseed = [1, 2]", "seed: a number or a text expected, array found"),
        ("[prune]\nseed = 1979-05-27", "seed: a number or a text expected"),
        ("[prune]\nskip = [[\"a\"]]", "skip: a number or a text expected, array found"),
        ("[prune", "TOML"),
    ] {
        let found = refusal(toml);
        assert!(found.contains(expected), "{expected:?} expected in:\n{found}");
    }
}

proptest! {
    #[test]
    fn any_text_goes_through_a_recipe(prompt in ".{0,40}", model in "[^\u{0}]{1,20}") {
        let words = ["secateur", "generate", "--", &model].map(OsString::from).to_vec();
        let mut words: Vec<OsString> = words;
        words.insert(2, format!("--prompt={prompt}").into());
        let (first, again) = round_trip(words);
        prop_assert_eq!(format!("{:?}", first.command), format!("{:?}", again.command));
    }

    #[test]
    fn any_sparsity_goes_through_a_recipe(share in 0.0f64..0.999, keep in 1usize..8, more in 1usize..8) {
        for sparsity in [share.to_string(), format!("{keep}:{}", keep + more)] {
            let line = ["secateur", "prune", "m", "-o", "o", "--sparsity", &sparsity];
            let (first, again) = round_trip(line.map(OsString::from).to_vec());
            prop_assert_eq!(format!("{:?}", first.command), format!("{:?}", again.command));
            let pattern: prune::Pattern = sparsity.parse().unwrap();
            prop_assert_eq!(pattern.to_string(), sparsity);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,60}") {
        let _ = read::words_of(&text, &[], &declared());
        let _ = read::words_of(&format!("[prune]\n{text}"), &[], &declared());
    }
}
