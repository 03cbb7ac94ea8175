//! Calibration data: where it comes from, what is left out, what a set shows of itself.

use std::{fs, io::Write, process::Stdio};

use crate::support::{Bench, text};

const SIZE: &str = "--samples 4 --length 32";

fn records(count: usize) -> String {
    let record = |index: usize| {
        let text = text(40 + index);
        format!("{}\n", serde_json::json!({"question": format!("{index}?"), "answer": text}))
    };
    (0..count).map(record).collect()
}

#[test]
fn a_mixture_is_made_kept_and_shown() {
    let bench = Bench::new();
    fs::write(bench.path("qa.jsonl"), records(12)).unwrap();
    let made = bench
        .run(
            "calibrate dense -o mixed.safetensors --length 24 --calibration self:3 --calibration \
             qa.jsonl:2 --calibration text.txt:4 --min-characters 5",
        )
        .succeeded();
    assert!(made.stdout().contains("self:3 + qa.jsonl:2 + text.txt:4"), "{}", made.stdout());
    let shown = bench.run("inspect mixed.safetensors").succeeded().stdout();
    for part in ["text the model wrote", "qa.jsonl", "text.txt", "most frequent runs", "9"] {
        assert!(shown.contains(part), "{part} expected in\n{shown}");
    }
    let facts = bench.run("inspect mixed.safetensors --json").succeeded().json();
    assert_eq!((&facts["sequences"], &facts["lengths"][2]), (&9.into(), &24.into()));
    assert_eq!(facts["sources"]["text the model wrote"], 3);
    assert!(!facts["texts"]["top_runs"].as_array().unwrap().is_empty());
    bench.run("prune dense -o out --calibration mixed.safetensors").succeeded();
    fs::remove_file(bench.path("mixed.jsonl")).unwrap();
    let shown = bench.run("inspect mixed.safetensors").succeeded().stdout();
    assert!(shown.contains("mixed.jsonl is not there"), "{shown}");
    fs::write(bench.path("mixed.jsonl"), "{}\n").unwrap();
    assert!(bench.run("inspect mixed.safetensors").refused().error().contains("not the view"));
}

#[test]
fn what_filters_drop_is_said_with_an_example() {
    let bench = Bench::new();
    let twice = format!("{}{}", records(3), records(3));
    fs::write(bench.path("qa.jsonl"), twice).unwrap();
    fs::write(bench.path("task.txt"), text(41)).unwrap();
    let line = "calibrate dense -o set.safetensors --calibration qa.jsonl --packing whole \
                --duplicates exact --samples 3 --length 200";
    let made = bench.run(line).succeeded().stdout();
    assert!(made.contains("3 by duplicates of 6 texts"), "{made}");
    assert!(made.contains("duplicates: the same as text 0"), "{made}");
    // sequences of different lengths serve a run
    let lengths = bench.run("inspect set.safetensors --json").succeeded().json()["lengths"].clone();
    assert!(lengths[0].as_u64() < lengths[2].as_u64(), "{lengths}");
    bench.run("prune dense -o out --calibration set.safetensors").succeeded();
    let excluded = bench.run(&format!("{line} --exclude task.txt --force")).refused();
    assert!(excluded.error().contains("6 by excluded"), "{}", excluded.error());
}

#[test]
fn a_selection_is_made_kept_and_shown() {
    let bench = Bench::new();
    for rule in ["random", "typical", "diverse"] {
        let line = format!(
            "calibrate dense -o {rule}.safetensors --calibration text.txt {SIZE} --select {rule} --pool 3"
        );
        let made = bench.run(&line).succeeded().stdout();
        assert!(made.contains(&format!("{rule}: 4 of 12 sequences")), "{made}");
        let shown = bench.run(&format!("inspect {rule}.safetensors")).succeeded().stdout();
        assert!(shown.contains(&format!("{rule}: 4 of 12 sequences")), "{shown}");
        let line =
            format!("prune dense -o out --force --calibration text.txt {SIZE} --select {rule}");
        bench.run(&line).succeeded();
        let recipe = bench.run(&format!("{line} --print-recipe")).succeeded().stdout();
        assert!(recipe.contains(&format!("select = \"{rule}\"")), "{recipe}");
    }
    let one = fs::read(bench.path("typical.safetensors")).unwrap();
    let line = format!("calibrate dense -o again.safetensors --calibration text.txt {SIZE}");
    bench.run(&format!("{line} --select typical --pool 3 --threads 1")).succeeded();
    assert!(one == fs::read(bench.path("again.safetensors")).unwrap(), "whatever the threads");
}

#[test]
fn standard_input_is_read() {
    let bench = Bench::new();
    let words = format!("calibrate dense -o set.safetensors --calibration - {SIZE}");
    let mut command = bench.command(words.split_whitespace());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text(900).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(bench.path("set.safetensors").is_file());
    // nothing comes in
    let empty = bench.run(&format!("{words} --force")).refused();
    assert!(empty.error().contains("-: it holds no text"), "{}", empty.error());
}

#[test]
fn of_what_never_ends_the_first_documents_are_read() {
    let bench = Bench::new();
    let words = format!("calibrate dense -o set.safetensors --calibration - {SIZE} --split line");
    let run = |more: &str| {
        let mut command = bench.command(format!("{words} {more}").split_whitespace());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let endless = std::thread::spawn(move || {
            while input.write_all(b"the same line again and again\n").is_ok() {}
        });
        let status = child.wait().unwrap();
        endless.join().unwrap();
        status.code()
    };
    assert_eq!(run("--documents 700"), Some(0));
    let facts = bench.run("inspect set.safetensors --json").succeeded().json();
    assert_eq!(facts["provenance"]["documents"], 700);
    assert_eq!(facts["provenance"]["recipe"]["documents"], 700);
    // of 700 lines that are all the same one is left, and that is no window
    assert_eq!(run("--documents 700 --duplicates exact --force"), Some(2));
    let refused = bench.run(&format!("calibrate dense -o out.safetensors {SIZE} --documents 5"));
    assert!(refused.refused().error().contains("without prefix_file"));
}

#[test]
fn a_set_of_another_tokenizer_is_refused_with_the_reason() {
    let bench = Bench::new();
    bench
        .run(&format!("calibrate demo -o set.safetensors --calibration text.txt {SIZE}"))
        .succeeded();
    let refused = bench.run("prune dense -o out --calibration set.safetensors").refused().error();
    for part in ["set.safetensors was made with another tokenizer", "make a set for this model"] {
        assert!(refused.contains(part), "{part} expected in\n{refused}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    fs::write(bench.path("qa.jsonl"), records(3)).unwrap();
    let refused = |more: &str| {
        bench
            .run(&format!("calibrate dense -o set.safetensors --length 32 {more}"))
            .refused()
            .error()
    };
    for (more, expected) in [
        ("--calibration qa.jsonl --calibration qa.jsonl", "is named twice"),
        ("--calibration self:3 --samples 4", "the source asks for 3 sequences"),
        ("--calibration nothing/*.jsonl", "no file matches this pattern"),
        ("--calibration qa.jsonl --synthesis chat", "has no use for it"),
        ("--calibration random --script latin", "has no use for it"),
        ("--calibration c4 --samples 2", "offline"),
        ("--calibration qa.jsonl --dataset-config en", "has no use for it"),
        ("--perplexity-band 5", "two numbers expected"),
        ("--perplexity-band 5:2", "a band from 0 or more up expected"),
        ("--synthesis bos --prefixes text.txt", "takes no prefixes"),
        ("--calibration self/bos --synthesis chat", "names another"),
        (
            "--calibration self/bos --calibration self/chat --top-k 5",
            "for the strategies bos and chat",
        ),
        ("--pool 3", "--select"),
    ] {
        let found = refused(more);
        assert!(found.contains(expected), "{more}: {expected} expected in\n{found}");
    }
}

#[test]
fn every_strategy_serves_a_run() {
    let bench = Bench::new();
    for strategy in ["prefix", "bos", "greedy-start", "chat"] {
        let line = format!("prune dense -o out --force {SIZE} --synthesis {strategy}");
        bench.run(&line).succeeded();
        let mixed = format!("{line} --temperature 0.7 --temperature 1.1");
        bench.run(&mixed).succeeded();
        let weights = || fs::read(bench.path("out/model.safetensors")).unwrap();
        let by_option = weights();
        let line = format!("prune dense -o out --force {SIZE} --calibration self/{strategy}");
        bench.run(&format!("{line} --temperature 0.7 --temperature 1.1")).succeeded();
        assert!(by_option == weights(), "{strategy}: the name of the source says the same");
    }
}
