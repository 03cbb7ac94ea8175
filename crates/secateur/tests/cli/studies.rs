//! Studies through the real binary.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, text};

const STUDY: &str = "[prune]\nmodel = \"dense\"\ncalibration = [\"text.txt\"]\nsamples = 4\nlength = 32\n\
                     perplexity = [\"text.txt\"]\nwindow = 64\n\
                     [grid]\nsparsity = [\"50%\", \"2:4\"]\nmethod = [\"magnitude\", \"wanda\"]\n\
                     seed = [0, 1]\n[study]\nbaseline = { method = \"magnitude\" }\n";

fn with_study(text: &str) -> Bench {
    let bench = Bench::new();
    fs::write(bench.path("study.toml"), text).unwrap();
    bench
}

fn cells(bench: &Bench) -> usize {
    fs::read_dir(bench.path("out/cells")).unwrap().count()
}

#[test]
fn a_study_runs_each_cell_once_and_goes_on_where_it_was() {
    let bench = with_study(STUDY);
    let plan = bench.run("study study.toml -o out --dry-run").succeeded().stdout();
    assert_eq!(plan.matches("to run").count(), 8, "{plan}");
    assert!(!bench.path("out").exists(), "a plan writes nothing");
    let run = bench.run("study study.toml -o out --json").succeeded();
    let summary: Value = serde_json::from_str(&run.stdout()).unwrap();
    let lines = summary["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 4);
    let names = |line: &Value, part: &str| {
        let measures = line[part].as_array().unwrap();
        measures.iter().map(|one| one[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&lines[1], "measures"),
        ["loss text.txt", "perplexity text.txt", "pruning seconds"]
    );
    let count = |line: &Value| line["measures"][0][1]["count"].as_u64().unwrap();
    assert_eq!([count(&lines[0]), count(&lines[1])], [1, 2], "magnitude has no seed");
    assert!(lines[0]["differences"].as_array().unwrap().is_empty());
    assert_eq!(lines[1]["differences"][0][1]["count"], 2);
    assert_eq!(cells(&bench), 6);
    assert!(!bench.path("out/scratch").exists(), "the pruned models are deleted");
    let table = fs::read_to_string(bench.path("out/table.md")).unwrap();
    assert!(table.starts_with("| sparsity | method | seeds |"), "{table}");
    assert!(table.contains("| 2:4 | wanda | 2 |"), "{table}");

    // one result lost: one cell runs again, the rest is found
    let lost = fs::read_dir(bench.path("out/cells")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&lost).unwrap();
    let again = bench.run("study study.toml -o out").succeeded();
    assert!(again.stderr().contains("cell 1 of 1: "), "{}", again.stderr());
    assert!(lost.exists());
    // a seed more: two cells more
    fs::write(bench.path("study.toml"), STUDY.replace("[0, 1]", "[0, 1, 2]")).unwrap();
    let grown = bench.run("study study.toml -o out").succeeded();
    assert!(grown.stderr().contains("cell 1 of 2: "), "{}", grown.stderr());
    assert_eq!(cells(&bench), 8);
}

#[test]
fn figures_of_a_cell_are_those_of_prune() {
    let bench = with_study(&STUDY.replace("[0, 1]", "[1]"));
    bench.run("study study.toml -o out").succeeded();
    bench
        .run(
            "prune dense -o alone --method wanda --calibration text.txt --samples 4 --length 32 --seed 1 \
             --sparsity 2:4 --perplexity text.txt --window 64",
        )
        .succeeded();
    let report: Value =
        serde_json::from_slice(&fs::read(bench.path("alone/report.json")).unwrap()).unwrap();
    let records = fs::read_dir(bench.path("out/cells")).unwrap().map(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    });
    let same = |cell: &Value| {
        let options = &cell["identity"]["options"];
        options["method"] == "wanda" && options["sparsity"] == "2:4"
    };
    let cell = records.into_iter().find(same).unwrap();
    let found = cell["measures"]["perplexity text.txt"].as_f64().unwrap();
    let expected = report["perplexity"][0]["after"]["perplexity"].as_f64().unwrap();
    // the reader of the test may lose the last bit of a number
    assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
}

#[test]
fn a_cell_that_cannot_run_is_named_and_the_others_run() {
    let bench = with_study(&STUDY.replace("\"2:4\"", "\"5:7\""));
    let run = bench.run("study study.toml -o out").refused();
    assert!(
        run.stdout().contains("no result:\nsparsity 5:7, method magnitude: "),
        "{}",
        run.stdout()
    );
    assert!(run.stderr().contains("4 of 8 cells have no result"), "{}", run.stderr());
    assert_eq!(cells(&bench), 3);
}

#[test]
fn sources_of_all_kinds_and_several_texts_go_into_one_grid() {
    let bench = with_study(
        "[prune]\nmodel = \"dense\"\nsamples = 4\nlength = 32\nprefixes = \"text.txt\"\nfield = \"body\"\n\
         packing = \"stream\"\nperplexity = [\"text.txt\", \"held/a.txt\"]\nwindow = 64\n\
         [grid]\ncalibration = [[\"self\"], [\"self/bos\"], [\"random\"], [\"texts/\"], [\"qa.jsonl\"], \
         [\"self\", \"qa.jsonl\"]]\n",
    );
    for folder in ["texts", "held"] {
        fs::create_dir(bench.path(folder)).unwrap();
        fs::copy(bench.path("text.txt"), bench.path(folder).join("a.txt")).unwrap();
    }
    fs::write(bench.path("qa.jsonl"), format!("{}\n", serde_json::json!({"body": text(900)})))
        .unwrap();
    let run = bench.run("study study.toml -o out --json").succeeded();
    let summary: Value = serde_json::from_str(&run.stdout()).unwrap();
    let lines = summary["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 6);
    for line in lines {
        let measures = line["measures"].as_array().unwrap().iter();
        let names: Vec<&str> = measures.map(|one| one[0].as_str().unwrap()).collect();
        assert!(
            names.contains(&"loss held/a.txt") && names.contains(&"loss text.txt"),
            "{names:?}"
        );
    }
}

#[test]
fn wrong_studies_are_refused_before_anything_runs() {
    for (text, expected) in [
        (STUDY.replace("sparsity =", "sparsty ="), "did you mean `sparsity`?"),
        (STUDY.replace("\"wanda\"]", "\"wando\"]"), "wando"),
        (STUDY.replace("model = \"dense\"", "model = \"absent\""), "absent: no such file"),
        (STUDY.replace("perplexity = [\"text.txt\"]\nwindow = 64\n", ""), "nothing is measured"),
    ] {
        let bench = with_study(&text);
        let run = bench.run("study study.toml -o out").refused();
        assert!(!bench.path("out").exists(), "nothing has run");
        let said = run.stdout() + &run.stderr();
        assert!(said.contains(expected), "{expected:?} expected in:\n{said}");
    }
    let bench = Bench::new();
    let absent = bench.run("study absent.toml -o out").refused();
    assert!(absent.stderr().contains("absent.toml"), "{}", absent.stderr());
}
