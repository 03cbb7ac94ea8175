//! The memory bound of the sweep: a model several times larger than the memory it may use.
//!
//! The limit is the kernel's (`ulimit -d`: anonymous and other private writable memory), so a run
//! that takes more than `--memory` fails.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use testkit::{Dtype, TinyOptions, tiny_llama};

/// Mebibytes the run may use.
const ALLOWED: u64 = 136;

/// A model of about 590 MB: 4 times what the run may use.
fn large_model(folder: &Path) -> u64 {
    let options = TinyOptions {
        hidden: 512,
        blocks: 92,
        heads: 8,
        kv_heads: 8,
        intermediate: 1408,
        context: 512,
        dtype: Dtype::BF16,
        tied: true,
        ..TinyOptions::default()
    };
    tiny_llama(folder, &options);
    folder.join("model.safetensors").metadata().expect("the model was written").len()
}

/// Text for the byte-level tokenizer, without meaning.
fn text() -> String {
    (0..1000).map(|word| format!("{} ", (word * 7919) % 1000)).collect()
}

/// Runs the binary with `arguments` under a data-segment limit of `mebibytes`.
fn limited(mebibytes: u64, arguments: &[&str]) -> Output {
    let script = format!("ulimit -d {}; exec \"$0\" \"$@\"", mebibytes * 1024);
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_secateur")]).args(arguments);
    command.output().expect("the binary runs")
}

#[test]
fn a_model_larger_than_memory_is_pruned_within_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (dense, pruned) = (path("dense"), path("pruned"));
    let size = large_model(Path::new(&dense));
    assert!(size > 4 * (ALLOWED << 20), "{size} bytes");
    std::fs::write(path("text.txt"), text()).unwrap();
    let memory = format!("{ALLOWED}MiB");
    let text = path("text.txt");
    let arguments = [
        "prune",
        &dense,
        "-o",
        &pruned,
        "--method",
        "wanda",
        "--calibration",
        &text,
        "--samples",
        "8",
        "--length",
        "256",
        "--threads",
        "2",
        "--memory",
        &memory,
        "--quiet",
    ];
    let output = limited(ALLOWED, &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // scoring the result one block at a time fits as well
    let arguments = [
        "eval",
        &pruned,
        "--perplexity",
        &text,
        "--window",
        "256",
        "--streamed",
        "--memory",
        &memory,
    ];
    let output = limited(ALLOWED, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // and the limit does bite: with all blocks resident the same work does not fit
    let arguments = ["eval", &pruned, "--perplexity", &text, "--window", "256"];
    assert!(!limited(ALLOWED, &arguments).status.success());
}
