//! Tasks on tiny models, and on real data where it is at hand.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Bench, TinyOptions, tiny_llama};

/// A bench with a second model and the data of two tasks, one of them the user's own.
fn bench() -> Bench {
    let bench = Bench::new();
    tiny_llama(&bench.path("other"), &TinyOptions { seed: 7, ..TinyOptions::default() });
    fs::create_dir(bench.path("tasks")).unwrap();
    let write = |name: &str, lines: Vec<Value>| {
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        fs::write(bench.path("tasks").join(name), lines.join("\n")).unwrap();
    };
    let rte = |i: usize| {
        json!({"sentence1": format!("It rains {i}."), "sentence2": "It is wet.",
        "label": i % 2})
    };
    write("rte.jsonl", (0..12).map(rte).collect());
    let piqa = |i: usize| {
        json!({"goal": format!("cut {i}"), "sol1": "with a saw",
        "sol2": "with care", "label": i % 2})
    };
    write("piqa.jsonl", (0..6).map(piqa).collect());
    let colour = |i: usize| json!({"thing": format!("thing {i}"), "is": i % 3});
    write("colours.jsonl", (0..9).map(colour).collect());
    let task = "data = 'colours.jsonl'\nshots = 'colours.jsonl'\ncontext = 'The colour of {thing}:'\n\
                choices = ['green', 'red', 'black']\ngold = 'is'\n";
    fs::write(bench.path("tasks/colours.toml"), task).unwrap();
    bench
}

#[test]
fn figures_come_with_their_protocol_and_do_not_depend_on_the_way() {
    let bench = bench();
    let line = "eval dense --tasks rte,piqa --tasks tasks/colours.toml --task-data tasks --json";
    let found = bench.run(line).succeeded().json();
    let tasks = found["tasks"]["tasks"].as_array().unwrap();
    let names: Vec<_> = tasks.iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["rte", "piqa", "colours"]);
    assert_eq!((&tasks[0]["questions"], &tasks[0]["version"]), (&json!(12), &json!(1)));
    let figures = tasks[1]["models"][0]["result"]["figures"].as_array().unwrap();
    let metrics: Vec<_> = figures.iter().map(|figure| figure["metric"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["acc", "acc_norm"]);
    let value = figures[0]["value"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&value) && figures[0]["stderr"].as_f64().unwrap() >= 0.0);
    let streamed = bench.run(&format!("{line} --streamed --threads 1")).succeeded().json();
    assert_eq!(streamed["tasks"], found["tasks"]);
    let text = bench.run(&line.replace("--json", "--limit 4 --shots 0")).succeeded().stdout();
    for expected in ["rte", "acc_norm", "4 of 12 questions, 0 shots, version 1", "with BOS", "f32"]
    {
        assert!(text.contains(expected), "{expected} expected in\n{text}");
    }
}

#[test]
fn two_models_are_compared_question_by_question() {
    let bench = bench();
    let line = "eval dense other --tasks rte --task-data tasks --flips --answers answers.jsonl";
    let found = bench.run(&format!("{line} --json")).succeeded().json();
    let task = &found["tasks"]["tasks"][0];
    let figure = |model: usize| {
        let figures = &task["models"][model]["result"]["figures"];
        figures[0]["value"].as_f64().unwrap()
    };
    let difference = &task["differences"][0]["difference"];
    let value = difference["value"].as_f64().unwrap();
    assert!((value - (figure(1) - figure(0))).abs() < 1e-12, "{difference}");
    let flips = task["flips"].as_array().unwrap();
    let gained = flips.iter().filter(|flip| flip["gained"] == true).count() as f64;
    let lost = flips.len() as f64 - gained;
    assert!(((gained - lost) / 12.0 - value).abs() < 1e-12, "{task}");
    let answers = fs::read_to_string(bench.path("answers.jsonl")).unwrap();
    assert_eq!(answers.lines().count(), 12);
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    assert_eq!(first["answers"][1]["choices"].as_array().unwrap().len(), 2);
    assert_eq!(found["divergence"], Value::Null);
    let line_with_report = format!("{line} --format markdown --report record.json");
    let markdown = bench.run(&line_with_report).succeeded().stdout();
    let record = fs::read(bench.path("record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["tasks"], found["tasks"]);
    assert!(markdown.starts_with("| task | metric | dense | other | difference |"), "{markdown}");
    assert!(markdown.contains("| flipped question |"), "{markdown}");
}

#[test]
fn examples_are_drawn_by_seed_and_named_with_the_figures() {
    let bench = bench();
    fs::copy(bench.path("tasks/rte.jsonl"), bench.path("tasks/rte_train.jsonl")).unwrap();
    let examples = |seed: u64| -> Vec<Value> {
        let line = "eval dense --tasks rte --task-data tasks --shots 2 --answers a.jsonl";
        let text = bench.run(&format!("{line} --shots-seed {seed}")).succeeded().stdout();
        assert!(text.contains(&format!("2 shots (drawn, seed {seed})")), "{text}");
        let answers = fs::read_to_string(bench.path("a.jsonl")).unwrap();
        let of = |line| serde_json::from_str::<Value>(line).unwrap()["examples"].take();
        answers.lines().map(of).collect()
    };
    let found = examples(7);
    assert_eq!((&found, found.len()), (&examples(7), 12));
    assert!(found != examples(8));
    for (index, numbers) in found.iter().enumerate() {
        let numbers = numbers.as_array().unwrap();
        assert!(numbers.len() == 2 && !numbers.contains(&json!(index + 1)), "{numbers:?}");
    }
    let line = "eval dense --tasks tasks/colours.toml --shots 2 --json";
    let shots = bench.run(line).succeeded().json()["tasks"]["tasks"][0]["shots"].take();
    assert_eq!((&shots["count"], &shots["sampler"]), (&json!(2), &json!("first")));
}

#[test]
fn perplexities_follow_the_protocol_that_is_asked_for() {
    let bench = bench();
    let line = "eval dense --perplexity text.txt --window 64 --perplexity-protocol";
    let rolling = bench.run(&format!("{line} rolling --json")).succeeded().json();
    let result = &rolling["perplexity"][0]["result"];
    let documents = &result["documents"];
    assert_eq!(documents["count"], 1);
    assert_eq!(result["scored_tokens"], result["text_tokens"]);
    let figure = |name: &str| documents[name].as_f64().unwrap();
    assert!(figure("word_perplexity") > figure("byte_perplexity"), "{documents}");
    assert!((figure("byte_perplexity").log2() - figure("bits_per_byte")).abs() < 1e-9);
    let text = bench.run(&format!("{line} rolling")).succeeded().stdout();
    assert!(text.contains("of a word") && text.contains("1 documents in"), "{text}");
    fs::write(bench.path("wiki.txt"), " = A = \n \n It is @-@ so . \n = B = \n \n ( Yes ) \n")
        .unwrap();
    let pages = [
        "{\"page\": \" = A = \\n \\n It is @-@ so . \"}",
        "{\"page\": \" = B = \\n \\n ( Yes ) \\n\"}",
    ];
    fs::write(bench.path("wiki.jsonl"), pages.join("\n")).unwrap();
    let wiki = |file: &str| {
        let line = format!("eval dense --perplexity {file} --perplexity-protocol wikitext --json");
        bench.run(&line).succeeded().json()["perplexity"][0]["result"].clone()
    };
    let found = wiki("wiki.txt");
    assert_eq!(found, wiki("wiki.jsonl"));
    assert_eq!(
        (&found["documents"]["count"], &found["documents"]["detokenised"]),
        (&json!(2), &json!(true))
    );
    // words and bytes of the pages as they are: " = A = \n \n It is @-@ so . " and " = B = \n \n ( Yes ) \n"
    assert_eq!(
        (&found["documents"]["words"], &found["documents"]["bytes"]),
        (&json!(18), &json!(46))
    );
    let strided = bench.run(&format!("{line} strided --stride 16 --json")).succeeded().json();
    let result = &strided["perplexity"][0]["result"];
    assert_eq!((&result["stride"], &result["window"]), (&json!(16), &json!(64)));
    let scored = result["scored_tokens"].as_u64().unwrap();
    assert_eq!(scored + 1, result["text_tokens"].as_u64().unwrap());
}

#[test]
fn what_cannot_be_asked_is_refused_in_plain_words() {
    let bench = bench();
    fs::write(bench.path("tasks/boolq.jsonl"), "{\"passage\": \"P\", \"question\": \"q\"}")
        .unwrap();
    for (line, expected) in [
        ("eval dense --limit 3", "--limit is about tasks, and none is named"),
        ("eval dense --tasks bolq --task-data tasks", "\"bolq\" is no task"),
        ("eval dense --tasks rte", "rte: no folder of data is named"),
        ("eval dense --tasks sciq --task-data tasks", "sciq.jsonl expected"),
        ("eval dense --tasks boolq --task-data tasks", "boolq.jsonl, line 1: no field \"answer\""),
        ("eval dense --tasks rte --task-data tasks --shots 1", "rte_train.jsonl expected"),
        ("eval dense --tasks rte --task-data tasks --shots-seed 2", "--shots"),
        (
            "eval dense --tasks rte --task-data tasks --report no/r.json",
            "--report no/r.json: a file",
        ),
        ("eval dense --tasks rte --task-data tasks --flips", "--flips compares two models"),
        (
            "eval dense --tasks rte --task-data tasks --json --format markdown",
            "one layout expected",
        ),
        ("eval dense --perplexity text.txt --stride 4", "--stride 4 is about overlapping windows"),
        (
            "eval dense --perplexity text.txt --window 8 --perplexity-protocol strided --stride 9",
            "1 to the window, 8, expected, 9 found",
        ),
    ] {
        let error = bench.run(line).refused().error();
        assert!(error.contains(expected), "{line}\n{error}");
    }
}
