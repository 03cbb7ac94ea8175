//! What the Python packages make of the same files (scripts in tools/goldens).

use std::path::Path;

use lm::{Checkpoint, Dtype, Model, checkpoint::Content, families};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tiny;
use super::writer::Meta;

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn read_json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

#[test]
fn every_storage_type_is_dequantised_as_the_gguf_package_does() {
    let checkpoint = Checkpoint::open(&golden("gguf-types.gguf")).unwrap();
    let expected = read_json("gguf-types.json");
    let expected = expected.as_object().unwrap();
    assert_eq!(checkpoint.store.tensors().len(), expected.len());
    for (name, expected) in expected {
        let tensor = checkpoint.store.read(name).unwrap();
        let (shape, dtype) = (&tensor.info.shape, tensor.info.dtype);
        assert_eq!((serde_json::json!(shape), dtype), (expected["shape"].clone(), Dtype::BF16));
        assert_eq!(serde_json::json!(tensor.to_f32()[..8]), expected["first"], "{name}");
        let digest = format!("{:x}", Sha256::digest(&tensor.bytes));
        assert_eq!(digest, expected["sha256"], "{name} ({})", expected["type"]);
    }
}

#[test]
fn rows_are_the_same_alone_as_within_their_tensor() {
    let checkpoint = Checkpoint::open(&golden("gguf-types.gguf")).unwrap();
    for (name, info) in checkpoint.store.tensors() {
        let whole = checkpoint.store.read(name).unwrap();
        let row = whole.bytes.len() / info.shape[0];
        let some = checkpoint.store.read_rows(name, 5..9).unwrap();
        assert_eq!(some.info.shape[0], 4);
        assert_eq!(some.bytes[..], whole.bytes[5 * row..9 * row], "{name}");
        assert!(checkpoint.store.read_rows(name, 0..0).unwrap().bytes.is_empty());
        assert!(checkpoint.store.read_rows(name, 0..info.shape[0] + 1).is_err());
    }
    assert!(checkpoint.store.read("model.layers.2.mlp.up_proj.weight").is_err());
}

#[test]
fn the_configuration_says_what_the_metadata_says() {
    let checkpoint = Checkpoint::open(&golden("gguf-types.gguf")).unwrap();
    let config = &checkpoint.config;
    for (field, expected) in [
        ("hidden_size", 256.into()),
        ("num_attention_heads", 2.into()),
        ("num_key_value_heads", 1.into()),
        ("head_dim", 32.into()),
        ("max_position_embeddings", 131_072.into()),
        ("rms_norm_eps", Value::from(1e-5)),
        ("rope_theta", Value::from(500_000.0)),
        ("tie_word_embeddings", false.into()),
        ("bos_token_id", 30.into()),
        ("eos_token_id", 31.into()),
    ] {
        assert_eq!(config[field], expected, "{field}");
    }
    let rule = serde_json::json!({
        "rope_type": "llama3", "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    });
    assert_eq!(config["rope_scaling"], rule);
    assert_eq!(families::spec(config).unwrap().blocks.len(), 2);
    let file = checkpoint.companions.iter().find(|file| file.name == "config.json").unwrap();
    let Content::Bytes(bytes) = &file.content else { panic!("made up, not copied") };
    assert_eq!(&serde_json::from_slice::<Value>(bytes).unwrap(), config);
    let [shard] = &checkpoint.store.shards()[..] else { panic!("one shard") };
    assert_eq!(shard.tensors.len(), checkpoint.store.tensors().len());
    Model::new(checkpoint, compute::Precision::F32).unwrap();
}

#[test]
fn scores_and_pieces_tokenise_as_sentencepiece_does() {
    let golden = read_json("gguf-sentencepiece.json");
    let list = |key: &str| golden[key].as_array().unwrap().clone();
    let tokens: Vec<_> =
        list("tokens").iter().map(|token| token.as_str().unwrap().to_owned()).collect();
    let scores = list("scores").iter().map(|score| score.as_f64().unwrap() as f32).collect();
    let types = list("types").iter().map(|kind| kind.as_i64().unwrap() as i32).collect();
    let mut file = tiny::file();
    tiny::counted(&mut file, "token_embd.weight", &[tokens.len() as u64, tiny::HIDDEN]);
    file.set("tokenizer.ggml.model", Meta::Text("llama".into()))
        .set("tokenizer.ggml.tokens", Meta::Texts(tokens))
        .set("tokenizer.ggml.scores", Meta::Floats(scores))
        .set("tokenizer.ggml.token_type", Meta::Ints(types))
        .unset("tokenizer.ggml.bos_token_id")
        .unset("tokenizer.ggml.eos_token_id");
    let tokenizer = tiny::open(&file.bytes()).unwrap().tokenizer;
    assert_eq!((tokenizer.bos, &tokenizer.eos[..]), (Some(1), &[2][..]));
    for case in list("texts") {
        let text = case["text"].as_str().unwrap();
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(serde_json::json!(ids), case["ids"], "{text:?}");
        // ▁ stands for a space, so a text that holds it does not come back.
        if !text.contains('▁') {
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
        }
        let with_bos = tokenizer.encode(text, true).unwrap();
        assert_eq!((with_bos[0], &with_bos[1..]), (1, &ids[..]), "{text:?}");
    }
}
