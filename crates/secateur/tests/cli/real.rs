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

/// A server that ends with the value.
struct Served(std::process::Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Needs a Python with `llama-cpp-python[server]`, which `SECATEUR_LLAMA_PYTHON` names.
#[test]
fn a_real_server_writes() {
    let Some(python) = std::env::var_os("SECATEUR_LLAMA_PYTHON") else {
        eprintln!("skipped: SECATEUR_LLAMA_PYTHON names no Python with llama-cpp-python[server]");
        return;
    };
    let Some(shared) = shared() else { return };
    let bench = Bench::new();
    let model = shared.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut command = std::process::Command::new(python);
    command.args(["-m", "llama_cpp.server", "--host", "127.0.0.1", "--n_ctx", "512"]);
    command.args(["--port", &port.to_string(), "--model"]).arg(&model);
    let _server = Served(command.spawn().unwrap());
    // until the server listens it refuses connections, which are tried again
    let line = format!(
        "calibrate {} -o set.safetensors --synthesis server --server http://127.0.0.1:{port} \
         --server-model smol --server-concurrency 2 --prefixes {} --samples 8 --length 256",
        model.display(),
        shared.join("corpora/wikitext2-raw-test.txt").display()
    );
    bench.run(&line).succeeded();
    let facts = bench.run("inspect set.safetensors --json").succeeded().json();
    assert_eq!((&facts["sequences"], &facts["length"]), (&8.into(), &256.into()));
    for sample in facts["texts"]["samples"].as_array().unwrap() {
        println!("{sample}");
    }
    let pieces = facts["provenance"]["origins"].as_array().unwrap();
    let pieces = pieces.iter().flat_map(|one| one["generated"]["pieces"].as_array().unwrap());
    for piece in pieces {
        let perplexity = piece["perplexity"].as_f64().unwrap();
        assert!(perplexity > 1.0 && perplexity < 300.0, "{perplexity}");
    }
}
