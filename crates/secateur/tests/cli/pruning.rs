//! From a dense model to a pruned one and its report.

use std::fs;

use crate::support::{Bench, Dtype, TinyOptions, contents};
use serde_json::Value;

const CALIBRATION: &str = "--calibration text.txt --samples 4 --length 32";

#[test]
fn the_output_is_exactly_as_sparse_as_asked() {
    let bench = Bench::with(&TinyOptions { dtype: Dtype::BF16, ..Default::default() });
    for (sparsity, zeros, pattern) in [("50%", 0.5, None), ("2:4", 0.5, Some("2:4"))] {
        let line = format!(
            "prune dense -o out --sparsity {sparsity} --allocation uniform {CALIBRATION} --force"
        );
        bench.run(&line).succeeded();
        let found = bench.run("inspect out --check --json").succeeded().json();
        assert_eq!(found["checked"], true);
        assert_eq!(found["dtypes"]["BF16"], found["parameters"]);
        for block in found["blocks"].as_array().unwrap() {
            for linear in block["linears"].as_array().unwrap() {
                let count = |of: &str| linear["sparsity"][of].as_u64().unwrap() as f64;
                assert_eq!(count("zeros"), zeros * count("weights"), "{linear}");
                let patterns = linear["patterns"].as_array().unwrap();
                if let Some(pattern) = pattern {
                    assert!(patterns.contains(&Value::from(pattern)), "{linear}");
                }
            }
        }
        assert!(bench.run("inspect out").succeeded().stdout().contains("50.00 %"));
    }
}

#[test]
fn the_report_says_what_was_asked_done_and_lost() {
    let bench = Bench::new();
    let line = format!(
        "prune dense -o out --sparsity 0.5 --skip 0 {CALIBRATION} --perplexity text.txt --window 64"
    );
    let printed = bench.run(&format!("{line} --json")).succeeded().json();
    let saved: Value =
        serde_json::from_slice(&fs::read(bench.path("out/report.json")).unwrap()).unwrap();
    assert_eq!(printed, saved);
    assert_eq!(saved["recipe"]["prune"]["sparsity"], 0.5);
    assert_eq!(saved["recipe"]["prune"]["samples"], 4);
    assert_eq!(saved["calibration"]["tokens"], 128);
    assert_eq!(saved["sparsity"]["achieved"], 0.5);
    assert_eq!(saved["blocks"][0]["linears"][0]["target"], Value::Null);
    assert_eq!(saved["blocks"][1]["linears"][0]["target"], "0.5");
    let loss = &saved["perplexity"][0];
    assert_eq!((&loss["before"]["window"], &loss["dtype"]), (&Value::from(64), &"f32".into()));
    assert!(loss["before"]["windows"].as_u64() > Some(1));
    assert_ne!(loss["before"]["perplexity"], loss["after"]["perplexity"]);
    assert!(saved["peak_memory_bytes"].as_u64() > Some(1 << 20));
    let eval = bench.run("eval out --perplexity text.txt --window 64 --json").succeeded().json();
    assert_eq!(eval["perplexity"][0]["result"], loss["after"]);
    let streamed = "eval out --perplexity text.txt --window 64 --json --streamed";
    assert_eq!(bench.run(streamed).succeeded().json()["perplexity"], eval["perplexity"]);
}

#[test]
fn a_run_closes_with_a_table() {
    let bench = Bench::new();
    let line = format!(
        "prune dense -o out --allocation uniform {CALIBRATION} --perplexity text.txt --window 64 --quiet"
    );
    let run = bench.run(&line).succeeded();
    assert_eq!(run.stderr(), "", "quiet means quiet");
    let table = run.stdout();
    for expected in ["dense", "pruned", "50.00 %", "peak memory", "out/report.json", "inspect out"]
    {
        assert!(table.contains(expected), "{expected} expected in\n{table}");
    }
}

#[test]
fn a_dry_run_plans_and_writes_nothing() {
    let bench = Bench::new();
    let before = contents_of(&bench);
    let line =
        format!("prune dense -o out --sparsity 2:4 {CALIBRATION} --dry-run --skip down_proj");
    let plan = bench.run(&line).succeeded();
    insta::assert_snapshot!("dry-run", plan.stdout());
    let json = bench.run(&format!("{line} --json")).succeeded().json();
    assert_eq!((&json["pruned_linears"], &json["linears"]), (&12.into(), &14.into()));
    assert_eq!(contents_of(&bench), before);
}

fn contents_of(bench: &Bench) -> Vec<String> {
    let names = fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let bench = Bench::new();
    for threads in ["1", "3"] {
        let line = format!("prune dense -o out-{threads} {CALIBRATION} --threads {threads}");
        bench.run(&line).succeeded();
    }
    let files = |name: &str| {
        let mut files = contents(&bench.path(name));
        files.retain(|(name, _)| name != "report.json");
        files
    };
    assert!(files("out-1") == files("out-3"));
}

#[test]
fn a_model_writes_its_own_calibration_data_once() {
    let bench = Bench::new();
    let line = "prune dense -o out --samples 3 --length 24";
    bench.run(line).succeeded();
    let first = fs::read(bench.path("out/secateur.json")).unwrap();
    let again = bench.run(&format!("{line} --force")).succeeded();
    assert!(first == fs::read(bench.path("out/secateur.json")).unwrap());
    assert!(!again.stderr().contains("generating"), "{}", again.stderr());
    let own = "calibrate dense -o own.safetensors --samples 3 --length 24 --prefixes text.txt \
               --prefix-tokens 2 --temperature 0.8";
    bench.run(own).succeeded();
    let set = bench.run("inspect own.safetensors --json").succeeded().json();
    assert_eq!((&set["sequences"], &set["tokens"]), (&3.into(), &72.into()));
    assert!(bench.path("own.jsonl").is_file());
    bench.run(&format!("{own} --force")).succeeded();
    let exists = bench.run(own).refused();
    insta::assert_snapshot!("calibrate-exists", exists.error());
    bench.run("prune dense -o other --calibration own.safetensors").succeeded();
    assert!(bench.run("inspect own.safetensors").succeeded().stdout().contains("self"));
}

#[test]
fn the_same_seed_writes_the_same_text() {
    let bench = Bench::new();
    let write = |more: &str| {
        let line = format!("generate dense --prompt The --max-tokens 12 --seed 3 {more}");
        bench.run(&line).succeeded()
    };
    let text = write("").stdout();
    assert!(text.starts_with("The") && text.ends_with('\n'), "{text:?}");
    assert_eq!(text, write("--threads 1").stdout());
    let json = write("--json").json();
    assert_eq!(text.trim_end(), format!("The{}", json["text"].as_str().unwrap()).trim_end());
    assert_eq!(json["tokens"].as_array().unwrap().len(), 12);
}
