//! The real file, where it is there.

use std::path::PathBuf;

use lm::{Checkpoint, Dtype, families};
use sha2::{Digest, Sha256};

/// The folder of shared data, or a line that says the test is skipped.
fn shared(path: &str) -> Option<PathBuf> {
    let near = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var_os("SECATEUR_SHARED").map_or(near.into(), PathBuf::from);
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set SECATEUR_SHARED)", path.display());
    None
}

#[test]
fn smollm2_opens_with_every_tensor_its_configuration_asks_for() {
    let Some(path) = shared("models/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let spec = families::spec(&checkpoint.config).unwrap();
    assert_eq!((spec.hidden, spec.vocabulary, spec.blocks.len()), (576, 49152, 30));
    let tensors = checkpoint.store.tensors();
    assert_eq!(tensors.len(), spec.tensors().len());
    for (name, shape) in spec.tensors() {
        assert_eq!((&tensors[&name].shape, tensors[&name].dtype), (&shape, Dtype::BF16), "{name}");
    }
    let embedding = checkpoint.store.read("model.embed_tokens.weight").unwrap();
    assert_eq!(embedding.bytes.len(), 49152 * 576 * 2);
    lm::Model::new(checkpoint, compute::Precision::F32).unwrap();
}

/// Digests of the values that `transformers` 5 makes of the file, rounded to bf16.
#[test]
fn smollm2_has_the_weights_that_transformers_reads_from_the_file() {
    let Some(path) = shared("models/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    for (name, digest) in [
        (
            "model.embed_tokens.weight",
            "0c8d76d0178f771e989a41b5965b452b7ccc0ef6c36d3d73b77e643dbe23264b",
        ),
        (
            "model.layers.0.self_attn.q_proj.weight",
            "d0ff302d4d83d5be00ed3005dd0a57b703cbe9387bf474d3c66f42bd0b300f30",
        ),
        (
            "model.layers.17.self_attn.k_proj.weight",
            "5bf2befa9c079391854e01bfd065c54f7499e9aecc2b140939424500bfacc9c1",
        ),
        (
            "model.layers.29.mlp.down_proj.weight",
            "b351a2d1c5c6084582b59bed0edd6728e821dcb1d77cd733a41d6e4358625f5b",
        ),
    ] {
        let bytes = checkpoint.store.read(name).unwrap().bytes;
        assert_eq!(format!("{:x}", Sha256::digest(&bytes)), digest, "{name}");
    }
}

/// Ids of the model's published tokenizer.
#[test]
fn smollm2_tokenises_as_its_published_tokenizer() {
    let Some(path) = shared("models/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let tokenizer = Checkpoint::open(&path).unwrap().tokenizer;
    for (text, ids) in [
        ("Hello 123", &[19556, 216, 33, 34, 35][..]),
        (
            "<|im_start|>user\nHi 2024!<|im_end|>",
            &[1, 4093, 198, 26843, 216, 34, 32, 34, 36, 17, 2],
        ),
    ] {
        assert_eq!(tokenizer.encode(text, true).unwrap(), ids, "{text:?}");
    }
    assert_eq!((tokenizer.bos, &tokenizer.eos[..]), (Some(1), &[2][..]));
    assert!(tokenizer.chat_template.is_some_and(|template| template.contains("im_start")));
}

#[test]
fn smollm2_brings_real_texts_back() {
    let Some(path) = shared("models/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let Some(texts) = shared("corpora/wikitext2-raw-test.txt") else { return };
    let tokenizer = Checkpoint::open(&path).unwrap().tokenizer;
    let texts = std::fs::read_to_string(texts).unwrap();
    for line in texts.split_inclusive('\n').take(1000) {
        let ids = tokenizer.encode(line, false).unwrap();
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), line);
    }
}
