//! The model in the box, from end to end: nothing from outside.

use serde_json::Value;

use crate::support::Bench;

/// Enough for the methods to differ, little enough for a test.
const SMALL: &str = "--samples 24 --length 128 --divergence-sequences 8 --divergence-length 256";

fn divergence(report: &Value) -> f64 {
    report["divergence"]["result"]["mean_kl"].as_f64().unwrap()
}

#[test]
fn it_is_pruned_with_data_it_writes_and_compared_with_what_it_was() {
    let bench = Bench::new();
    let report = bench.run(&format!("prune demo -o out {SMALL} --json")).succeeded().json();
    // by depth: a row gives up a whole number of weights, and blocks not the same
    let achieved = report["sparsity"]["achieved"].as_f64().unwrap();
    assert!((achieved - 0.5).abs() < 1e-4, "{achieved}");
    assert_eq!(report["calibration"]["source"], "self");
    assert_eq!(report["divergence"]["seed"], 1_000_000);
    let result = &report["divergence"]["result"];
    assert_eq!(result["sequences"], 8);
    assert!((0.05..2.0).contains(&divergence(&report)), "{result}");
    let figure = |name: &str| result[name].as_f64().unwrap();
    assert!(figure("perplexity") > 1.05 * figure("reference_perplexity"), "{result}");
    assert!((0.3..0.95).contains(&figure("top1_agreement")), "{result}");
    let eval = format!("eval demo out --json {}", &SMALL[SMALL.find("--div").unwrap()..]);
    assert_eq!(bench.run(&eval).succeeded().json()["divergence"], report["divergence"]);
    let text = bench.run("generate out --prompt It --max-tokens 12").succeeded().stdout();
    assert!(text.len() > 10, "{text}");
}

#[test]
fn wanda_hurts_it_less_than_magnitude() {
    let bench = Bench::new();
    let wanda = bench
        .run(&format!("prune demo -o wanda --method wanda --sparsity 60% {SMALL} --json"))
        .succeeded()
        .json();
    let magnitude = "prune demo -o magnitude --method magnitude --sparsity 60% --json \
                     --divergence-sequences 8 --divergence-length 256";
    let magnitude = bench.run(magnitude).succeeded().json();
    let (wanda, magnitude) = (divergence(&wanda), divergence(&magnitude));
    assert!(wanda < 0.97 * magnitude, "{wanda} {magnitude}");
}

#[test]
fn the_closing_table_speaks_to_a_newcomer() {
    let bench = Bench::new();
    let table = bench.run(&format!("prune demo -o out {SMALL} --quiet")).succeeded().stdout();
    for expected in [
        "589,803 of the 1,179,648 weights of 42 linears are zero now, chosen by ria + refit, which saw \
         24 sequences of text the model wrote itself",
        "KL divergence",
        "temperature 1, seed 1000000",
        "secateur prune demo -o demo-70 --sparsity 70%",
    ] {
        assert!(table.contains(expected), "{expected} expected in\n{table}");
    }
}

#[test]
fn a_folder_of_its_name_is_named_by_its_path() {
    let bench = Bench::new();
    let line = "prune demo -o demo --method magnitude --divergence off --json";
    assert_eq!(bench.run(line).succeeded().json()["divergence"], Value::Null);
    let zeros = |model: &str| {
        let found = bench.run(&format!("inspect {model} --json")).succeeded().json();
        let zeros = found["blocks"][0]["linears"][0]["sparsity"]["zeros"].as_u64();
        zeros.unwrap()
    };
    assert!(zeros("demo") < 100);
    assert!(zeros("./demo") > 4000);
}

#[test]
fn divergence_is_measured_on_a_text_as_well() {
    let bench = Bench::new();
    bench.run("prune demo -o out --method magnitude --divergence off").succeeded();
    let line = "eval demo out --divergence text.txt --divergence-length 64 --perplexity text.txt \
                --window 128";
    let printed = bench.run(line).succeeded().stdout();
    for expected in ["text.txt", "KL divergence", "the first of text.txt", "measured on"] {
        assert!(printed.contains(expected), "{expected} expected in\n{printed}");
    }
    let found = bench.run(&format!("{line} --json --streamed")).succeeded().json();
    assert_eq!(found["divergence"]["length"], 64);
    assert_eq!(found["divergence"]["seed"], Value::Null);
    let texts = found["perplexity"].as_array().unwrap();
    assert_eq!(texts.iter().map(|text| &text["model"]).collect::<Vec<_>>(), ["demo", "out"]);
}

#[test]
fn comparisons_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    for (line, expected) in [
        ("prune demo -o out --seed 1000000", "judged on draws it was pruned with"),
        ("prune demo -o out --divergence off --streamed", "nothing to measure"),
        ("prune demo -o out --divergence-length 600", "512"),
        ("prune demo -o out --divergence absent.txt", "absent.txt"),
        ("eval demo --divergence self", "name the dense model first"),
        ("eval demo", "there is nothing to measure"),
        ("eval demo dense --divergence self", "cannot be compared"),
    ] {
        let run = bench.run(line);
        assert_eq!(run.code(), Some(2), "{line}: {}", run.stderr());
        assert!(
            run.stderr().contains(expected),
            "{line}: {expected} expected in\n{}",
            run.stderr()
        );
        assert!(!bench.path("out").exists(), "{line}");
    }
}
