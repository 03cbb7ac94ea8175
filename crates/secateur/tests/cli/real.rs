//! Real models, where they are at hand.

use std::path::{Path, PathBuf};

use crate::support::Bench;

/// The folder of real models and texts: `SECATEUR_SHARED`, else `shared` beside the repository.
fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("SECATEUR_SHARED").map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there; set SECATEUR_SHARED", folder.display());
    None
}

#[test]
fn a_real_model_of_a_folder_is_pruned_and_still_writes() {
    let Some(shared) = shared() else { return };
    let bench = Bench::new();
    let (model, text) = (shared.join("models/stories260k"), shared.join("corpora/tinystories.txt"));
    let slice: String = std::fs::read_to_string(&text).unwrap().chars().take(40_000).collect();
    std::fs::write(bench.path("stories.txt"), slice).unwrap();
    let line = format!(
        "prune {} -o out --calibration stories.txt --samples 16 --length 128 --perplexity \
         stories.txt --window 256 --sparsity 20% --json",
        model.display()
    );
    let report = bench.run(&line).succeeded().json();
    let loss = &report["perplexity"][0];
    let [before, after] = ["before", "after"].map(|at| loss[at]["perplexity"].as_f64().unwrap());
    assert!(before > 2.0 && before < 8.0, "dense: {before}");
    assert!(after > before && after < 1.2 * before, "from {before} to {after}");
    let story = bench.run("generate out --prompt Once --max-tokens 24").succeeded().stdout();
    assert!(story.len() > 30, "{story}");
}

#[test]
fn a_real_gguf_file_becomes_a_sparse_folder() {
    let Some(shared) = shared() else { return };
    let bench = Bench::new();
    let model = shared.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let line = format!(
        "prune {} -o out --calibration text.txt --samples 2 --length 64 --sparsity 2:4",
        model.display()
    );
    bench.run(&line).succeeded();
    let found = bench.run("inspect out --json").succeeded().json();
    assert_eq!(found["dtypes"]["BF16"], found["parameters"]);
    assert_eq!(found["blocks"].as_array().unwrap().len(), 30);
    for block in found["blocks"].as_array().unwrap() {
        for linear in block["linears"].as_array().unwrap() {
            assert!(linear["patterns"].as_array().unwrap().contains(&"2:4".into()), "{linear}");
        }
    }
}
