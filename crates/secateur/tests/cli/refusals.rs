//! Input that cannot be used: exit code 2, a message that says why, and nothing written.

use std::{fs, path::PathBuf};

use crate::support::{Bench, TinyOptions};
use serde_json::{Value, json};

const WEIGHTS: &str = "dense/model.safetensors";
const PRUNE: &str = "prune dense -o out --calibration text.txt --samples 4 --length 32";

/// A model that is spoilt and refused.
struct Spoilt {
    name: &'static str,
    spoil: fn(&Bench),
}

const SPOILT: &[Spoilt] = &[
    Spoilt { name: "truncated", spoil: |bench| edit(bench, |bytes| bytes.truncate(5000)) },
    Spoilt { name: "header-too-long", spoil: |bench| edit(bench, |bytes| bytes[4] = 9) },
    Spoilt { name: "out-of-range", spoil: |bench| header(bench, "model.norm.weight", 1 << 40) },
    Spoilt { name: "overlapping", spoil: |bench| header(bench, "model.norm.weight", 0) },
    Spoilt { name: "wrong-shape", spoil: |bench| config(bench, "intermediate_size", json!(80)) },
    Spoilt { name: "missing-tensor", spoil: |bench| config(bench, "num_hidden_layers", json!(3)) },
    Spoilt { name: "architecture", spoil: |bench| config(bench, "model_type", json!("mamba")) },
    Spoilt { name: "shard-elsewhere", spoil: shard_elsewhere },
    Spoilt { name: "no-weights", spoil: |bench| fs::remove_file(bench.path(WEIGHTS)).unwrap() },
    Spoilt { name: "bin-weights", spoil: bin_weights },
    Spoilt { name: "no-number", spoil: |bench| number(bench, f32::NAN) },
    Spoilt { name: "infinite", spoil: |bench| number(bench, f32::INFINITY) },
    Spoilt { name: "large-tokenizer", spoil: large_tokenizer },
];

fn edit(bench: &Bench, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(bench.path(WEIGHTS)).unwrap();
    edit(&mut bytes);
    fs::write(bench.path(WEIGHTS), bytes).unwrap();
}

/// Says that a tensor's values begin at `start`.
fn header(bench: &Bench, tensor: &str, start: u64) {
    edit(bench, |bytes| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let offsets = &mut header[tensor]["data_offsets"];
        let size = offsets[1].as_u64().unwrap() - offsets[0].as_u64().unwrap();
        *offsets = json!([start, start + size]);
        let mut text = header.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let values = bytes.split_off(8 + length);
        *bytes = (text.len() as u64).to_le_bytes().into_iter().chain(text).chain(values).collect();
    });
}

/// Makes the first weight of one linear `value`.
fn number(bench: &Bench, value: f32) {
    edit(bench, |bytes| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let tensor = &header["model.layers.1.mlp.up_proj.weight"]["data_offsets"];
        let start = 8 + length + tensor[0].as_u64().unwrap() as usize;
        bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
    });
}

fn config(bench: &Bench, field: &str, value: Value) {
    let path = bench.path("dense/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[field] = value;
    fs::write(path, config.to_string()).unwrap();
}

fn shard_elsewhere(bench: &Bench) {
    fs::rename(bench.path(WEIGHTS), bench.path("elsewhere.safetensors")).unwrap();
    let index =
        json!({"metadata": {}, "weight_map": {"lm_head.weight": "../elsewhere.safetensors"}});
    fs::write(bench.path("dense/model.safetensors.index.json"), index.to_string()).unwrap();
}

fn bin_weights(bench: &Bench) {
    fs::rename(bench.path(WEIGHTS), bench.path("dense/pytorch_model.bin")).unwrap();
}

fn large_tokenizer(bench: &Bench) {
    let path = bench.path("dense/tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    tokenizer["model"]["vocab"]["zzz"] = json!(272);
    fs::write(path, tokenizer.to_string()).unwrap();
}

#[test]
fn spoilt_models_are_refused_and_nothing_is_written() {
    for spoilt in SPOILT {
        let bench = Bench::new();
        (spoilt.spoil)(&bench);
        let run = bench.run(PRUNE).refused();
        insta::assert_snapshot!(format!("spoilt-{}", spoilt.name), run.error());
        assert!(!bench.path("out").exists(), "{}", spoilt.name);
        bench.run("inspect dense --check").refused();
    }
}

#[test]
fn every_bad_weight_is_named_by_a_check() {
    let bench = Bench::new();
    number(&bench, f32::NEG_INFINITY);
    let run = bench.run("inspect dense --check").refused();
    insta::assert_snapshot!("check", run.error());
}

#[test]
fn texts_that_are_too_short_are_refused() {
    let bench = Bench::new();
    fs::write(bench.path("empty.txt"), "").unwrap();
    fs::write(bench.path("blank.txt"), " \n \n").unwrap();
    fs::write(bench.path("short.txt"), "Too short.").unwrap();
    fs::write(bench.path("bytes.txt"), b"\xff\xfe\xff").unwrap();
    for name in ["empty.txt", "blank.txt", "short.txt", "bytes.txt", "absent.txt"] {
        let run = bench.run(&PRUNE.replace("text.txt", name)).refused();
        insta::assert_snapshot!(format!("calibration-{name}"), run.error());
        let eval = format!("eval dense --perplexity {name} --window 32");
        insta::assert_snapshot!(format!("perplexity-{name}"), bench.run(&eval).refused().error());
        assert!(!bench.path("out").exists() && !bench.path("out.partial").exists());
    }
}

#[test]
fn outputs_that_would_lose_something_are_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path("out")).unwrap();
    fs::write(bench.path("out/precious"), "data").unwrap();
    let run = bench.run(PRUNE).refused();
    insta::assert_snapshot!("output-not-empty", run.error());
    let dry = bench.run(&format!("{PRUNE} --dry-run")).refused();
    assert_eq!(dry.error(), run.error(), "a dry run finds it too");
    fs::write(bench.path("file"), "data").unwrap();
    let run = bench.run(&PRUNE.replace("-o out", "-o file")).refused();
    insta::assert_snapshot!("output-is-a-file", run.error());
    let run = bench.run(&PRUNE.replace("-o out", "-o dense --force")).refused();
    insta::assert_snapshot!("output-is-the-model", run.error());
    assert_eq!(fs::read(bench.path("out/precious")).unwrap(), b"data");
}

#[test]
fn recipes_that_do_not_fit_the_model_are_refused() {
    let odd = TinyOptions { intermediate: 98, ..Default::default() };
    for (name, options, more) in [
        ("pattern", &odd, "--sparsity 2:4"),
        ("skip", &TinyOptions::default(), "--skip gate"),
        ("length", &TinyOptions::default(), "--length 4096"),
        ("window", &TinyOptions::default(), "--perplexity text.txt --window 4096"),
        ("memory", &TinyOptions::default(), "--memory 1M"),
        ("temperature", &TinyOptions::default(), "--temperature -1"),
        ("unused-sampling", &TinyOptions::default(), "--temperature 0.9"),
        ("unused-calibration", &TinyOptions::default(), "--method magnitude"),
    ] {
        let bench = Bench::with(options);
        let run = bench.run(&format!("{PRUNE} {more}")).refused();
        insta::assert_snapshot!(format!("recipe-{name}"), run.error_without_estimate());
        assert!(!bench.path("out").exists(), "{name}");
    }
}

/// A model of 2 TB whose weights are a hole in a file.
fn enormous() -> Bench {
    let bench = Bench::with(&TinyOptions { hidden: 1024, blocks: 1, ..Default::default() });
    let rows: u64 = 1 << 28;
    config(&bench, "vocab_size", json!(rows));
    let mut end = 0;
    edit(&bench, |bytes| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let tensors = header.as_object_mut().unwrap().iter_mut();
        for (name, tensor) in tensors.filter(|(name, _)| *name != "__metadata__") {
            if name.contains("embed_tokens") || name.contains("lm_head") {
                tensor["shape"][0] = json!(rows);
            }
            let shape = tensor["shape"].as_array().unwrap().iter();
            let size = 4 * shape.map(|size| size.as_u64().unwrap()).product::<u64>();
            tensor["data_offsets"] = json!([end, end + size]);
            end += size;
        }
        let text = header.to_string().into_bytes();
        *bytes = (text.len() as u64).to_le_bytes().into_iter().chain(text).collect();
    });
    let weights = fs::OpenOptions::new().append(true).open(bench.path(WEIGHTS)).unwrap();
    weights.set_len(weights.metadata().unwrap().len() + end).unwrap();
    bench
}

#[test]
fn an_output_that_the_disk_has_no_room_for_is_refused() {
    let bench = enormous();
    let run = bench.run("prune dense -o out --method magnitude").refused();
    let error = run.error();
    assert!(error.contains("of disk space"), "{error}");
    assert!(!bench.path("out").exists() && !bench.path("out.partial").exists());
}

#[test]
fn generating_with_a_model_larger_than_memory_is_refused() {
    let bench = Bench::new();
    let run = bench.run("generate dense --prompt The --memory 100K").refused();
    insta::assert_snapshot!("generate-memory", run.error_without_estimate());
}

/// A stated path, so that a reader of the snapshots knows what DIR stands for.
#[test]
fn messages_name_files_as_they_were_given() {
    let bench = Bench::new();
    let path: PathBuf = bench.path("no/such/model");
    let run = bench.run(&format!("inspect {}", path.display())).refused();
    insta::assert_snapshot!("absent-model", run.error());
}
