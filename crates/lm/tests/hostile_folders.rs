//! Folders that must be refused, with a message that names the file and what to do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use lm::{Checkpoint, Silent};
use serde_json::{Value, json};
use testkit::{TinyOptions, tiny_llama};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

/// A tiny model to spoil.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(shards: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny_llama(folder.path(), &TinyOptions { shards, blocks: 1, ..Default::default() });
        Checkpoint::open(folder.path()).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Changes a JSON file.
    fn edit(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let path = self.path(name);
        let mut value = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap(),
            Err(_) => json!({}),
        };
        edit(&mut value);
        fs::write(path, value.to_string()).unwrap();
    }

    /// The message it is refused with, the folder's own path left out.
    fn refusal(&self) -> String {
        refusal(self.0.path())
    }

    fn assert_refused(&self, expected: &[&str]) {
        let message = self.refusal();
        for part in expected {
            assert!(message.contains(part), "{part:?} expected in: {message}");
        }
    }
}

fn refusal(path: &Path) -> String {
    let error = Checkpoint::open(path).err().expect("a refusal");
    assert!(error.is_bad_input(), "{error}");
    error.to_string().replace(path.to_str().unwrap(), "FOLDER")
}

#[test]
fn truncated_weights() {
    let folder = Folder::new(1);
    let whole = fs::read(folder.path(SINGLE)).unwrap();
    for length in [0, 7, 8, 100, whole.len() - 1] {
        fs::write(folder.path(SINGLE), &whole[..length]).unwrap();
        folder.assert_refused(&["FOLDER/model.safetensors: truncated"]);
    }
    fs::write(folder.path(SINGLE), [&whole[..], b"x"].concat()).unwrap();
    folder.assert_refused(&["FOLDER/model.safetensors: 1 unused bytes after"]);
}

#[test]
fn types_that_are_not_read() {
    let folder = Folder::new(1);
    let bytes = String::from_utf8_lossy(&fs::read(folder.path(SINGLE)).unwrap()).into_owned();
    assert!(bytes.contains("F32"));
    for (dtype, hint) in [("F8_E4M3", "FP8"), ("I32", "quantised"), ("F64", "float32")] {
        let entry = json!({"w": {"dtype": dtype, "shape": [0], "data_offsets": [0, 0]}});
        let header = entry.to_string().into_bytes();
        let file = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
        fs::write(folder.path(SINGLE), file).unwrap();
        folder.assert_refused(&["model.safetensors: tensor w", dtype, "not supported", hint]);
    }
}

#[test]
fn indexes_that_lead_elsewhere() {
    let folder = Folder::new(2);
    for name in [
        "/etc/passwd",
        "../x.safetensors",
        "a/b.safetensors",
        "a\\b.safetensors",
        "..",
        "",
        "config.json",
        "./model-00001-of-00002.safetensors",
    ] {
        let folder = Folder::new(2);
        folder.edit(INDEX, |index| index["weight_map"]["lm_head.weight"] = json!(name));
        folder.assert_refused(&["index.json: weight_map:", "in the same folder expected"]);
    }
    fs::rename(folder.path(SECOND), folder.path("elsewhere")).unwrap();
    folder.assert_refused(&["FOLDER/model-00002-of-00002.safetensors: the shard is missing"]);
    let outside = tempfile::tempdir().unwrap();
    fs::rename(folder.path("elsewhere"), outside.path().join("w")).unwrap();
    symlink(outside.path().join("w"), folder.path(SECOND)).unwrap();
    folder.assert_refused(&["00002-of-00002.safetensors: it is a link out of the folder"]);
}

#[test]
fn indexes_that_do_not_fit_their_shards() {
    let folder = Folder::new(2);
    folder.edit(INDEX, |index| index["weight_map"]["lm_head.weight"] = json!(FIRST));
    folder.assert_refused(&["tensor lm_head.weight", FIRST, "it is in", SECOND]);
    let folder = Folder::new(2);
    folder.edit(INDEX, |index| index["weight_map"]["more"] = json!(FIRST));
    folder.assert_refused(&["index.json: tensor more is missing in", FIRST]);
    let folder = Folder::new(2);
    folder.edit(INDEX, |index| {
        index["weight_map"].as_object_mut().unwrap().remove("lm_head.weight");
    });
    folder.assert_refused(&["lm_head.weight of", SECOND, "not listed"]);
    let folder = Folder::new(2);
    fs::copy(folder.path(FIRST), folder.path(SECOND)).unwrap();
    folder.assert_refused(&[SECOND, "model.embed_tokens.weight is in", FIRST, "as well"]);
    for (index, expected) in [
        (json!({}), "\"weight_map\" is missing"),
        (json!({"weight_map": {}}), "lists no tensors"),
        (json!({"weight_map": {"a": 1}}), "weight_map, a: a file name expected, 1 found"),
        (json!([]), "a JSON object expected"),
    ] {
        fs::write(folder.path(INDEX), index.to_string()).unwrap();
        folder.assert_refused(&["FOLDER/model.safetensors.index.json", expected]);
    }
}

#[test]
fn folders_without_readable_weights() {
    let folder = Folder::new(1);
    fs::rename(folder.path(SINGLE), folder.path("weights.safetensors")).unwrap();
    insta::assert_snapshot!(folder.refusal(), @"FOLDER: model.safetensors or model.safetensors.index.json expected, weights.safetensors found");
    fs::rename(folder.path("weights.safetensors"), folder.path("pytorch_model.bin")).unwrap();
    insta::assert_snapshot!(folder.refusal(), @"FOLDER: pickled PyTorch weights (pytorch_model.bin) is not supported: convert them to safetensors with transformers: AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(OUT), and the same for AutoTokenizer");
    fs::remove_file(folder.path("config.json")).unwrap();
    folder.assert_refused(&["FOLDER: config.json is missing"]);
    fs::write(folder.path("m.Q4_0.gguf"), "").unwrap();
    folder.assert_refused(&["a folder of GGUF files", "m.Q4_0.gguf"]);
    let message = refusal(&folder.path("chat_template.jinja"));
    assert!(message.contains("neither a Hugging Face folder nor a .gguf file"), "{message}");
    refusal(&folder.path("nowhere"));
}

#[test]
fn quantised_checkpoints_are_named_with_the_way_out() {
    let folder = Folder::new(1);
    for (config, name, hint) in [
        (json!({"quant_method": "gptq", "bits": 4}), "GPTQ", "unquantised model"),
        (json!({"quant_method": "awq"}), "AWQ", "unquantised model"),
        (json!({"quant_method": "fp8"}), "FP8", "FineGrainedFP8Config(dequantize=True)"),
        (json!({"quant_method": "mxfp4"}), "MXFP4", "Mxfp4Config(dequantize=True)"),
        (json!({"quant_method": "bitsandbytes"}), "bitsandbytes", "dequantize()"),
        (json!({"load_in_4bit": true}), "bitsandbytes", "dequantize()"),
        (json!({"quant_method": "compressed-tensors"}), "compressed-tensors", "run_compressed"),
        (json!({"quant_method": "hqq"}), "hqq", "dequantised variant"),
        (json!({}), "an unnamed method", "dequantised variant"),
    ] {
        folder.edit("config.json", |value| value["quantization_config"] = config);
        folder.assert_refused(&["config.json: a checkpoint quantised with ", name, hint]);
    }
    folder.edit("config.json", |value| value["quantization_config"] = Value::Null);
    Checkpoint::open(folder.0.path()).unwrap();
}

#[test]
fn tokenizers_and_configurations() {
    let folder = Folder::new(1);
    fs::write(folder.path("config.json"), "{").unwrap();
    folder.assert_refused(&["FOLDER/config.json: not valid JSON"]);
    let folder = Folder::new(1);
    fs::write(folder.path("tokenizer.json"), "{}").unwrap();
    folder.assert_refused(&["tokenizer.json"]);
    fs::remove_file(folder.path("tokenizer.json")).unwrap();
    folder.assert_refused(&["without tokenizer.json", "AutoTokenizer"]);
    for wrong in [json!(-1), json!(100_000), json!("</s>"), json!([1, null])] {
        let folder = Folder::new(1);
        folder.edit("generation_config.json", |value| value["eos_token_id"] = wrong.clone());
        folder.assert_refused(&["eos_token_id", "a token of the tokenizer (0..272) expected"]);
    }
}

#[test]
fn special_tokens_and_templates_are_found_wherever_they_are() {
    let folder = Folder::new(1);
    let tokenizer = || Checkpoint::open(folder.0.path()).unwrap().tokenizer;
    folder.edit("generation_config.json", |value| *value = json!({"eos_token_id": [258, 257]}));
    assert_eq!(tokenizer().eos, [258, 257]);
    fs::remove_file(folder.path("generation_config.json")).unwrap();
    folder.edit("config.json", |value| value["eos_token_id"] = json!(259));
    assert_eq!(tokenizer().eos, [259, 257]);
    folder.edit("tokenizer_config.json", |value| {
        *value = json!({"bos_token": {"content": "<unk>"}, "chat_template":
            [{"name": "tools", "template": "a"}, {"name": "default", "template": "b"}]});
    });
    let found = tokenizer();
    assert_eq!((found.bos, found.eos), (Some(258), vec![259]));
    assert_eq!(found.chat_template.as_deref(), Some(testkit::CHAT_TEMPLATE));
    fs::remove_file(folder.path("chat_template.jinja")).unwrap();
    assert_eq!(tokenizer().chat_template.as_deref(), Some("b"));
    folder.edit("tokenizer_config.json", |value| *value = json!({"chat_template": "c"}));
    assert_eq!((tokenizer().bos, tokenizer().chat_template.as_deref()), (Some(256), Some("c")));
    folder.edit("special_tokens_map.json", |value| *value = json!({"bos_token": "<pad>"}));
    assert_eq!(tokenizer().bos, Some(259));
}

#[test]
fn companions_are_the_visible_files_that_are_not_weights() {
    let folder = Folder::new(2);
    for name in [".gitattributes", "pytorch_model.bin", "consolidated.00.pth", "tokenizer.model"] {
        fs::write(folder.path(name), name).unwrap();
    }
    fs::create_dir(folder.path("original")).unwrap();
    let companions = Checkpoint::open(folder.0.path()).unwrap().companions;
    let names: Vec<_> = companions.iter().map(|companion| companion.name.as_str()).collect();
    let expected = [
        "LICENSE",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_snapshot_of_the_hubs_cache_is_a_folder_of_links() {
    let cache = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (cache.path().join("blobs"), cache.path().join("snapshots/0123"));
    tiny_llama(&blobs, &TinyOptions { shards: 2, ..Default::default() });
    fs::create_dir_all(&snapshot).unwrap();
    for entry in fs::read_dir(&blobs).unwrap() {
        let name = entry.unwrap().file_name();
        symlink(Path::new("../../blobs").join(&name), snapshot.join(&name)).unwrap();
    }
    let digest = |path: &Path| Checkpoint::open(path).unwrap().digest(&Silent).unwrap();
    assert_eq!(digest(&snapshot), digest(&blobs));
}

#[test]
fn weights_that_are_not_finite_are_listed() {
    let folder = Folder::new(1);
    let path = folder.path(SINGLE);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    bytes[end - 12..end - 8].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let checkpoint = Checkpoint::open(folder.0.path()).unwrap();
    let shards = checkpoint.store.shards();
    let last = shards[0].tensors.last().unwrap();
    let values = checkpoint.store.info(last).unwrap().elements();
    let found = checkpoint.check(&Silent).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].tensor, found[0].first), (last, values - 3));
    assert_eq!((found[0].nan, found[0].infinite), (1, 1));
}

#[test]
fn the_digest_sees_values_names_and_configuration_and_not_their_order() {
    let folder = Folder::new(1);
    let digest = || Checkpoint::open(folder.0.path()).unwrap().digest(&Silent).unwrap();
    let first = digest();
    assert_eq!(first.len(), 64);
    folder.edit("config.json", |value| {
        let fields = value.as_object().unwrap().clone();
        *value = fields.into_iter().rev().collect();
    });
    assert_eq!(digest(), first);
    folder.edit("config.json", |value| value["rope_theta"] = json!(10001.0));
    let changed = digest();
    assert_ne!(changed, first);
    let mut bytes = fs::read(folder.path(SINGLE)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.path(SINGLE), bytes).unwrap();
    assert_ne!(digest(), changed);
}
