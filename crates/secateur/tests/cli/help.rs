//! What the binary says of itself.

use crate::support::Bench;

#[test]
fn the_help_of_every_command() {
    let bench = Bench::new();
    let commands = [
        "",
        "prune",
        "calibrate",
        "rank",
        "eval",
        "study",
        "generate",
        "inspect",
        "list",
        "explain",
        "run",
        "completions",
    ];
    for command in commands {
        let help = bench.run(&format!("{command} --help")).succeeded().stdout();
        let name = if command.is_empty() { "secateur" } else { command };
        insta::assert_snapshot!(format!("help-{name}"), help);
        assert!(help.contains("Examples:"), "{command}");
    }
}

#[test]
fn every_entry_of_every_list_can_be_explained() {
    let bench = Bench::new();
    let lists = bench.run("list --json").succeeded().json();
    for (topic, entries) in lists.as_object().unwrap() {
        let alone = bench.run(&format!("list {topic}")).succeeded().stdout();
        for entry in entries.as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            assert!(alone.contains(name), "{topic} {name}");
            let explained = bench.run(&format!("explain {}", name.split(", ").next().unwrap()));
            assert!(explained.succeeded().stdout().contains(entry["summary"].as_str().unwrap()));
        }
    }
    let unknown = bench.run("explain wandaa").refused();
    insta::assert_snapshot!("explain-unknown", unknown.error());
}

#[test]
fn completions_for_every_shell() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.run(&format!("completions {shell}")).succeeded().stdout();
        assert!(script.contains("calibration") && script.contains("sparsity"), "{shell}");
    }
}

#[test]
fn wrong_words_are_refused() {
    let bench = Bench::new();
    for (name, line) in [
        ("no-command", ""),
        ("unknown-command", "prun dense"),
        ("unknown-option", "prune dense -o out --sparsty 0.5"),
        ("impossible-sparsity", "prune dense -o out --sparsity 1.5"),
        ("impossible-pattern", "prune dense -o out --sparsity 4:2"),
        ("unknown-method", "prune dense -o out --method wand"),
        ("unknown-dtype", "prune dense -o out --dtype f64"),
        ("impossible-memory", "prune dense -o out --memory 8X"),
        ("no-output", "prune dense"),
        ("no-threads", "eval dense --perplexity text.txt --threads 0"),
        ("window-of-nothing", "prune dense -o out --window 64"),
        ("nothing-to-measure", "eval dense"),
        ("no-such-model", "inspect nowhere"),
        ("hub-offline", "inspect nobody/nothing"),
    ] {
        let run = bench.run(line).refused();
        insta::assert_snapshot!(format!("words-{name}"), run.stderr());
    }
}
