//! What the program chooses itself, and what calibration tokens count.

use serde_json::Value;

use crate::support::Bench;

/// Enough to run everything, little enough for a test.
const TINY: &str = "--samples 8 --length 64 --divergence off";

/// Runs a line to the folder `out` and gives its report.
fn report(bench: &Bench, line: &str) -> Value {
    bench.run(&format!("prune demo -o out {TINY} {line} --json")).succeeded().json()
}

#[test]
fn a_method_is_chosen_by_rule_and_the_reason_printed() {
    for (line, method) in [
        ("--sparsity 60%", "ria + refit"),
        ("--sparsity 10% --refit", "wanda + refit"),
        ("--sparsity 2:4 --budget balanced", "sparsegpt + refit"),
        ("--sparsity 2:4 --budget fast --refine swaps", "wanda + swaps"),
    ] {
        let bench = Bench::new();
        let line = format!("--method auto {line}");
        let found = report(&bench, &line);
        assert_eq!(found["method"], method, "{line}");
        assert_eq!(found["recipe"]["prune"]["method"], "auto");
        let reason = found["notes"][0].as_str().unwrap();
        let name = method.split(" + ").next().unwrap();
        assert!(reason.starts_with(&format!("method auto takes {name}")), "{reason}");
        let record = std::fs::read_to_string(bench.path("out/secateur.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["recipe"]["method"], name);
        let planned = bench.run(&format!("prune demo -o other {TINY} {line} --dry-run"));
        assert!(planned.succeeded().stderr().contains("method auto takes"));
    }
}

#[test]
fn the_sparsity_is_shared_out_by_depth_where_the_rule_may() {
    for (line, allocation) in [
        ("", "depth"),
        ("--allocation uniform", "uniform"),
        ("--sparsity 2:4", "uniform"),
        ("--method wanda", "uniform"),
        ("--method wanda --allocation depth", "depth"),
    ] {
        let bench = Bench::new();
        let planned = bench.run(&format!("prune demo -o out {TINY} {line} --dry-run"));
        let planned = planned.succeeded();
        let (planned, notes) = (planned.stdout(), planned.stderr());
        assert!(planned.contains(&format!("{allocation} allocation")), "{line}: {planned}");
        let told = notes.contains(" by depth: it ");
        assert_eq!(told, allocation == "depth" && !line.contains("--method"), "{line}: {notes}");
    }
}

#[test]
fn an_allocation_is_chosen_by_trial_and_the_trials_are_told() {
    let bench = Bench::new();
    let line = format!(
        "prune demo -o out {TINY} --method magnitude --sparsity 60% --allocation auto --auto-data \
         text.txt"
    );
    let printed = bench.run(&format!("{line} --quiet")).succeeded().stdout();
    for expected in ["allocation tried", "uniform", "owl", "alpha", "depth", "error", "taken"] {
        assert!(printed.contains(expected), "{expected} expected in\n{printed}");
    }
    let again = bench.run(&format!("{line} --resume --json")).succeeded().json();
    let trials = again["trials"].as_array().unwrap();
    let figures: Vec<f64> = trials.iter().map(|t| t["divergence"].as_f64().unwrap()).collect();
    assert_eq!(figures.len(), 5);
    assert!(figures.iter().all(|nats| (0.01..10.0).contains(nats)), "{figures:?}");
    let other = line.replace("text.txt", "self");
    let refused = bench.run(&format!("{other} --resume"));
    assert!(refused.error().contains("held_out"), "{}", refused.error());
}

#[test]
fn tokens_count_as_they_are_told_to() {
    let weights = |line: &str| {
        let bench = Bench::new();
        let found = report(&bench, &format!("--method wanda {line}"));
        (found["notes"].clone(), std::fs::read(bench.path("out/model.safetensors")).unwrap())
    };
    let (none, plain) = weights("");
    let (_, uniform) = weights("--token-weights uniform");
    let (_, first) = weights("--token-weights first:8");
    let (notes, attention) = weights("--token-weights attention:0.1");
    assert_eq!(none, Value::Null);
    assert!(plain == uniform, "uniform weights change nothing");
    assert!(plain != first && plain != attention && first != attention);
    assert!(notes[0].as_str().unwrap().contains("more multiplications"), "{notes}");
    let bench = Bench::new();
    let explained = bench.run("explain attention").succeeded().stdout();
    assert!(explained.contains("RSQ") && explained.contains("Cost"), "{explained}");
    assert!(bench.run("list token-weights").succeeded().stdout().contains("first:N"));
}

#[test]
fn choices_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    bench.run("calibrate demo -o set.safetensors --samples 8 --length 64").succeeded();
    for (line, expected) in [
        ("--method wanda --budget best", "--budget is for --method auto, wanda is asked for"),
        ("--method auto --budget most", "balanced"),
        ("--auto-data text.txt", "--auto-data is for --allocation auto"),
        ("--allocation auto --sparsity 2:4", "--mixed-nm"),
        ("--allocation auto --calibration set.safetensors", "name other data with --auto-data"),
        ("--allocation auto --auto-data absent.txt", "absent.txt"),
        ("--token-weights last:3", "first:N"),
        ("--method magnitude --token-weights attention", "the method looks at weights alone"),
    ] {
        let run = bench.run(&format!("prune demo -o out --divergence off {line}"));
        assert_eq!(run.code(), Some(2), "{line}: {}", run.stderr());
        assert!(run.stderr().contains(expected), "{line}: {}", run.stderr());
        assert!(!bench.path("out").exists() && !bench.path("out.partial").exists(), "{line}");
    }
}
