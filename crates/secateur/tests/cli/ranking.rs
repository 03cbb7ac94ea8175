//! Candidates for calibration data, judged through the real binary.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, text};

const LINE: &str = "rank dense --candidate text.txt --candidate random --candidate self --samples 6 \
                    --length 48 --yardstick held.txt --yardstick-sequences 4 --yardstick-length 64";

fn bench() -> Bench {
    let bench = Bench::new();
    let held: Vec<String> = text(3000).lines().rev().map(str::to_owned).collect();
    fs::write(bench.path("held.txt"), held.join("\n")).unwrap();
    bench
}

fn candidates(report: &Value) -> Vec<&str> {
    let entries = report["candidates"].as_array().unwrap();
    entries.iter().map(|entry| entry["candidate"].as_str().unwrap()).collect()
}

/// The values of a score of one candidate over the draws.
fn values(report: &Value, candidate: &str, score: &str, yardstick: Option<&str>) -> Vec<f64> {
    let entries = report["candidates"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["candidate"] == candidate).unwrap();
    let series = entry["scores"].as_array().unwrap().iter();
    let same = |one: &&Value| one["score"] == score && one["yardstick"].as_str() == yardstick;
    let series = series.into_iter().find(same).unwrap()["values"].as_array().unwrap();
    series.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn candidates_come_in_order_with_reasons() {
    let bench = bench();
    let run = bench.run(&format!("{LINE} --report found.json")).succeeded();
    let shown = run.stdout();
    for part in ["candidate", "input-distance", "min-k", "coverage", "why", "one draw of each"] {
        assert!(shown.contains(part), "{part} expected in\n{shown}");
    }
    assert!(!shown.contains("the only yardstick"), "{shown}");
    let report: Value =
        serde_json::from_slice(&fs::read(bench.path("found.json")).unwrap()).unwrap();
    assert_eq!(report["yardsticks"], serde_json::json!(["self", "held.txt"]));
    let order = candidates(&report);
    assert_eq!(order.len(), 3);
    let mean = |candidate: &&str| values(&report, candidate, "input-distance", None)[0];
    let distances: Vec<f64> = order.iter().map(mean).collect();
    assert!(distances.windows(2).all(|pair| pair[0] <= pair[1]), "{distances:?}");
    // text of the kind of the yardstick is nearer to it than random tokens are
    let on = |candidate| values(&report, candidate, "input-distance", Some("held.txt"))[0];
    assert!(on("text.txt") < on("random"), "{} {}", on("text.txt"), on("random"));
    assert_eq!(report["candidates"][0]["draws"][0]["tokens"], 6 * 48);
    // the same again, and the JSON of stdout is that of the file
    let again = bench.run(&format!("{LINE} --json")).succeeded().json();
    assert_eq!(again["candidates"], report["candidates"]);
}

#[test]
fn seeds_give_paired_differences() {
    let bench = bench();
    let line = format!("{LINE} --seeds 3 --seed 5 --threads 1 --json --by min-k");
    let report = bench.run(&line).succeeded().json();
    assert_eq!(report["seeds"], serde_json::json!([5, 6, 7]));
    assert_eq!(report["lower_is_better"], false);
    let entries = report["candidates"].as_array().unwrap();
    assert!(entries[0]["behind"].is_null() && entries[0]["rank"] == 1);
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let of = |entry: &Value| {
        let name = entry["candidate"].as_str().unwrap();
        mean(values(&report, name, "min-k", None))
    };
    for entry in &entries[1..] {
        let behind = entry["behind"]["spread"]["mean"].as_f64().unwrap();
        assert!((behind - (of(entry) - of(&entries[0]))).abs() < 1e-9);
        assert!(entry["behind"]["half_width"].as_f64().unwrap() > 0.0);
        let noise = behind.abs() <= entry["behind"]["half_width"].as_f64().unwrap();
        assert_eq!(entry["rank"] == 1, noise, "{entry}");
    }
}

#[test]
fn the_damage_is_that_of_prune_and_eval() {
    let bench = bench();
    let report = bench
        .run(&format!("{LINE} --prune --sparsity 2:4 --seeds 1 --scratch here --json"))
        .succeeded()
        .json();
    assert_eq!(report["by"], "damage");
    assert_eq!(fs::read_dir(bench.path("here")).unwrap().count(), 0, "pruned models are deleted");
    bench
        .run(
            "prune dense -o out --calibration text.txt --samples 6 --length 48 --sparsity 2:4 \
             --divergence held.txt --divergence-sequences 4 --divergence-length 64",
        )
        .succeeded();
    let alone: Value =
        serde_json::from_slice(&fs::read(bench.path("out/report.json")).unwrap()).unwrap();
    let expected = alone["divergence"]["result"]["mean_kl"].as_f64().unwrap();
    let found = values(&report, "text.txt", "damage", Some("held.txt"))[0];
    assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
    // fewer blocks, less damage
    let some = bench.run(&format!("{LINE} --prune --prune-blocks 1 --seeds 1 --json"));
    let some = some.succeeded().json();
    let [some, all] = [some, report].map(|found| values(&found, "random", "damage", None)[0]);
    assert!(some > 0.0 && some < all, "{some} {all}");
}

#[test]
fn one_option_serves_the_candidates_it_means_something_to() {
    let bench = bench();
    let record = |index: usize| format!("{}\n", serde_json::json!({"body": text(60 + index)}));
    fs::write(bench.path("qa.jsonl"), (0..9).map(record).collect::<String>()).unwrap();
    let line = "rank dense --candidate qa.jsonl --candidate self/bos --candidate self/prefix --field body \
                --prefixes text.txt --packing stream --samples 3 --length 40 --yardstick-length 40 \
                --yardstick-sequences 2 --json";
    let report = bench.run(line).succeeded().json();
    assert_eq!(candidates(&report).len(), 3);
    assert!(report["notes"][0].as_str().unwrap().contains("the only yardstick"));
    let words: Vec<&str> =
        line.split_whitespace().chain(["--candidate", "self + qa.jsonl"]).collect();
    let mixed = bench.command(words).output().unwrap();
    assert!(mixed.status.success(), "{}", String::from_utf8_lossy(&mixed.stderr));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let bench = bench();
    for (line, expected) in [
        ("rank dense --candidate self", "two candidates or more expected, 1 found"),
        ("rank dense --candidate self --candidate self", "named twice"),
        ("rank dense --candidate self --candidate absent.txt", "absent.txt"),
        ("rank dense --candidate random --candidate text.txt --synthesis bos", "no candidate has"),
        ("rank dense --candidate random --candidate random-text --field a", "no candidate has"),
        ("rank dense --candidate random --candidate random-text --documents 5", "no candidate has"),
        (
            "rank dense --candidate self --candidate text.txt --yardstick text.txt",
            "and a yardstick",
        ),
        ("rank dense --candidate self --candidate random --yardstick-seed 0", "judged on itself"),
        ("rank dense --candidate self --candidate - --seeds 2", "read 2 times"),
        ("rank dense --candidate self --candidate random --report a/b.json", "a is no folder"),
        ("rank dense --candidate self --candidate random --by damage", "add --prune"),
        ("rank dense --candidate self --candidate random --sparsity 0.6", "nothing is pruned"),
        ("rank dense --candidate self --candidate random --prune-blocks 1", "nothing is pruned"),
        (
            "rank dense --candidate self --candidate random --prune --method magnitude",
            "every candidate would prune alike",
        ),
        (
            "rank dense --candidate self --candidate random --prune --prune-blocks 99",
            "--prune-blocks 99: the model has",
        ),
    ] {
        let found = bench.run(line).refused().error();
        assert!(found.contains(expected), "{line}: {expected} expected in\n{found}");
    }
}
