//! Runs that are killed or stopped, and go on.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Bench, Run, TinyOptions, contents};

const LINE: &str = "prune dense -o out --calibration text.txt --samples 24 --length 96 --threads 1";

/// A model that takes long enough to be interrupted.
fn bench() -> Bench {
    Bench::with(&TinyOptions { blocks: 40, ..Default::default() })
}

/// Starts a run and waits until it has finished some blocks and not all.
fn under_way(bench: &Bench) -> Child {
    let mut command = bench.command(LINE.split_whitespace());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = bench.path("out.partial/secateur-journal.json");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(120) {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        if text.matches("\"block\":").count() >= 3 {
            return child;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("no block was finished in two minutes");
}

/// What an undisturbed run writes, and what is in `out` now, report.json apart.
fn assert_same_as_undisturbed(bench: &Bench) {
    bench.run(&LINE.replace("-o out", "-o undisturbed")).succeeded();
    let files = |name: &str| {
        let mut files = contents(&bench.path(name));
        files.retain(|(name, _)| name != "report.json");
        files
    };
    let (found, expected) = (files("out"), files("undisturbed"));
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(found == expected, "{name} differs");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_killed_run_goes_on_and_gives_the_same_bytes() {
    let bench = bench();
    let mut child = under_way(&bench);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.path("out").exists(), "nothing has the final name");
    let refused = bench.run(LINE).refused();
    insta::assert_snapshot!("unfinished-output", refused.error());
    let other = bench.run(&format!("{LINE} --resume --sparsity 0.25")).refused();
    insta::assert_snapshot!("resumed-otherwise", other.error());
    bench.run(&format!("{LINE} --resume")).succeeded();
    assert!(!bench.path("out.partial").exists());
    assert_same_as_undisturbed(&bench);
}

#[test]
fn a_stopped_run_says_how_to_go_on() {
    let bench = bench();
    let child = under_way(&bench);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    let command = said.lines().find(|line| line.trim_start().starts_with("secateur prune dense"));
    let command = command.unwrap_or_else(|| panic!("{said}")).trim();
    assert!(command.ends_with("--resume"), "{command}");
    assert!(said.contains("stopped; to go on:") && !said.contains("error"), "{said}");
    assert!(!bench.path("out").exists());
    bench.run(command.strip_prefix("secateur ").unwrap()).succeeded();
    assert_same_as_undisturbed(&bench);
}

#[test]
fn a_finished_run_that_is_resumed_only_measures() {
    let bench = Bench::new();
    let line = "prune dense -o out --calibration text.txt --samples 4 --length 32 --perplexity \
                text.txt --window 64";
    bench.run(line).succeeded();
    let weights = || fs::metadata(bench.path("out/model.safetensors")).unwrap().modified().unwrap();
    let before = weights();
    fs::remove_file(bench.path("out/report.json")).unwrap();
    let run: Run = bench.run(&format!("{line} --resume")).succeeded();
    assert!(run.stderr().contains("pruned already"), "{}", run.stderr());
    assert!(bench.path("out/report.json").is_file());
    assert_eq!(weights(), before);
    let other = bench.run(&format!("{line} --resume --sparsity 0.75")).refused();
    insta::assert_snapshot!("finished-otherwise", other.error());
}
