//! The configuration and the tensors' places.

use lm::{Error, families};
use serde_json::json;

use super::tiny::{self, HEAD_DIM, HIDDEN, INNER, counted, refused_naming};
use super::writer::{File, Meta};

fn tiny_with(change: impl FnOnce(&mut File)) -> File {
    let mut file = tiny::file();
    change(&mut file);
    file
}

fn tiny_set(key: &str, value: Meta) -> File {
    tiny_with(|file| {
        file.set(key, value);
    })
}

#[test]
fn the_tiny_file_is_a_model() {
    let checkpoint = tiny::open(&tiny::file().bytes()).unwrap();
    let config = &checkpoint.config;
    assert_eq!(config["rope_theta"], 10000.0);
    assert_eq!(config["rms_norm_eps"], 1e-5);
    assert_eq!(config["vocab_size"], tiny::tokens().len());
    assert_eq!(
        (&config["tie_word_embeddings"], &config["rope_scaling"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(
        (&config["dtype"], &config["torch_dtype"]),
        (&json!("bfloat16"), &json!("bfloat16"))
    );
    lm::Model::new(checkpoint, compute::Precision::F32).unwrap();
}

#[test]
fn query_and_key_rows_are_put_back_in_order() {
    let checkpoint = tiny::open(&tiny::file().bytes()).unwrap();
    // Row r of the file begins with value r·8/16.
    let firsts = |name: &str| -> Vec<f32> {
        let values = checkpoint.store.read(name).unwrap().to_f32();
        values.chunks(HIDDEN as usize).map(|row| row[0] * 2.0).collect()
    };
    assert_eq!(firsts("model.layers.0.self_attn.q_proj.weight"), [0., 2., 1., 3., 4., 6., 5., 7.]);
    assert_eq!(firsts("model.layers.1.self_attn.k_proj.weight"), [0., 2., 1., 3.]);
    assert_eq!(firsts("model.layers.1.self_attn.v_proj.weight"), [0., 1., 2., 3.]);
}

#[test]
fn biases_are_all_there_or_none() {
    let mut file = tiny::file();
    for block in 0..2 {
        for (name, size) in [("q", 8), ("k", HEAD_DIM), ("v", HEAD_DIM), ("output", HIDDEN)] {
            counted(&mut file, &format!("blk.{block}.attn_{name}.bias"), &[size]);
        }
    }
    let checkpoint = tiny::open(&file.bytes()).unwrap();
    assert_eq!(checkpoint.config["attention_bias"], true);
    assert_eq!(checkpoint.config["mlp_bias"], false);
    let bias = checkpoint.store.read("model.layers.0.self_attn.k_proj.bias").unwrap();
    assert_eq!(bias.to_f32(), [0.0, 0.125, 0.0625, 0.1875]);
    let some = checkpoint.store.read_rows("model.layers.0.self_attn.k_proj.bias", 1..3).unwrap();
    assert_eq!(some.to_f32(), [0.125, 0.0625]);
    lm::Model::new(checkpoint, compute::Precision::F32).unwrap();
    counted(&mut file, "blk.0.ffn_up.bias", &[INNER]);
    refused_naming(&file, &["1 of 6 biases", "ffn"]);
}

#[test]
fn other_architectures_are_named_with_the_known_ones() {
    let other = tiny_set("general.architecture", Meta::Text("gemma3".into()));
    refused_naming(&other, &["\"gemma3\"", "llama"]);
    refused_naming(&tiny_set("llama.expert_count", Meta::U32(8)), &["8 experts"]);
    refused_naming(&tiny_set("llama.logit_scale", Meta::F32(2.0)), &["llama.logit_scale"]);
    refused_naming(&tiny_set("general.type", Meta::Text("adapter".into())), &["\"adapter\""]);
    refused_naming(&tiny_set("split.count", Meta::U32(3)), &["split", "--merge"]);
}

#[test]
fn unusable_sizes_are_refused_by_key() {
    for key in ["llama.embedding_length", "llama.attention.head_count", "llama.block_count"] {
        refused_naming(&tiny_set(key, Meta::U32(0)), &[key, "from 1"]);
        refused_naming(&tiny_set(key, Meta::Text("x".into())), &[key, "whole number"]);
        let missing = tiny_with(|file| {
            file.unset(key);
        });
        refused_naming(&missing, &[key, "missing"]);
    }
    refused_naming(&tiny_set("llama.block_count", Meta::U32(1 << 20)), &["block_count", "tensors"]);
    refused_naming(&tiny_set("llama.block_count", Meta::U32(1)), &["blk.1.", "1 blocks"]);
    refused_naming(&tiny_set("llama.rope.dimension_count", Meta::U32(2)), &["dimension_count"]);
    refused_naming(&tiny_set("llama.attention.head_count_kv", Meta::Ints(vec![1, 1])), &["array"]);
    refused_naming(&tiny_set("llama.rope.freq_base", Meta::F32(0.0)), &["freq_base"]);
    refused_naming(&tiny_set("llama.rope.freq_base", Meta::F32(f32::NAN)), &["freq_base"]);
}

#[test]
fn tensors_no_llama_has_are_refused() {
    let extra = |name: &str| tiny_with(|file| counted(file, name, &[HIDDEN]));
    refused_naming(&extra("blk.0.attn_q_norm.weight"), &["blk.0.attn_q_norm.weight"]);
    refused_naming(&extra("blk.2.attn_norm.weight"), &["blk.2.attn_norm.weight", "2 blocks"]);
    let missing = tiny_with(|file| file.tensors.retain(|tensor| !tensor.name.contains("1.ffn_up")));
    let checkpoint = tiny::open(&missing.bytes()).unwrap();
    let error = lm::Model::new(checkpoint, compute::Precision::F32).map(drop).unwrap_err();
    assert!(matches!(error, Error::Tensor { name, .. } if name.contains("1.mlp.up_proj")));
}

#[test]
fn an_own_head_is_not_tied() {
    let size = tiny::tokens().len() as u64;
    let file = tiny_with(|file| counted(file, "output.weight", &[size, HIDDEN]));
    let checkpoint = tiny::open(&file.bytes()).unwrap();
    assert_eq!(checkpoint.config["tie_word_embeddings"], false);
    assert!(checkpoint.store.info("lm_head.weight").is_ok());
}

#[test]
fn linear_scaling_is_honoured() {
    let mut file = tiny_set("llama.rope.scaling.type", Meta::Text("linear".into()));
    file.set("llama.rope.scaling.factor", Meta::F32(4.0));
    let checkpoint = tiny::open(&file.bytes()).unwrap();
    let spec = families::spec(&checkpoint.config).unwrap();
    assert_eq!(spec.blocks[0].rope.scaling, lm::RopeScaling::Linear { factor: 4.0 });
    let older = tiny::open(&tiny_set("llama.rope.scale_linear", Meta::F32(2.0)).bytes()).unwrap();
    assert_eq!(older.config["rope_scaling"]["factor"], 2.0);
    file.set("llama.rope.scaling.type", Meta::Text("yarn".into()));
    refused_naming(&file, &["\"yarn\"", "linear"]);
    file.set("llama.rope.scaling.type", Meta::Text("none".into()));
    assert_eq!(tiny::open(&file.bytes()).unwrap().config["rope_scaling"], json!(null));
}

#[test]
fn rope_factors_of_no_known_rule_are_refused() {
    let factors = |values: [f32; 2]| {
        tiny_with(|file| {
            file.singles("rope_freqs.weight", &[2], &values);
        })
    };
    refused_naming(&factors([1.0, 3.0]), &["rope_freqs.weight", "unknown rule"]);
    let ones = tiny::open(&factors([1.0, 1.0]).bytes()).unwrap();
    assert_eq!(ones.config["rope_scaling"], json!(null));
}
