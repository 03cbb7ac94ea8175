//! A tiny Llama as a GGUF file: two blocks, two query heads, one key-value head, tied.

use super::writer::{File, Meta};

pub(crate) const HIDDEN: u64 = 8;
pub(crate) const HEAD_DIM: u64 = 4;
pub(crate) const INNER: u64 = 12;

/// GPT-2's printable stand-ins for the 256 bytes, in the order of its vocabulary.
fn byte_characters() -> Vec<String> {
    let own: Vec<u32> = (33..127).chain(161..173).chain(174..256).collect();
    let others = (0..256).filter(|byte| !own.contains(byte)).count() as u32;
    own.into_iter().chain(256..256 + others).map(|c| char::from_u32(c).unwrap().into()).collect()
}

/// Byte characters, two merges, and the three special tokens at the end.
pub(crate) fn tokens() -> Vec<String> {
    let merged = ["th", "the", "<s>", "</s>", "<|turn|>"].map(String::from);
    byte_characters().into_iter().chain(merged).collect()
}

pub(crate) fn file() -> File {
    let mut file = File::new();
    file.set("general.architecture", Meta::Text("llama".into()));
    for (key, value) in [
        ("block_count", 2),
        ("context_length", 64),
        ("embedding_length", HIDDEN as u32),
        ("feed_forward_length", INNER as u32),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
    ] {
        file.set(&format!("llama.{key}"), Meta::U32(value));
    }
    file.set("llama.attention.layer_norm_rms_epsilon", Meta::F32(1e-5));
    byte_level(&mut file);
    tensors(&mut file);
    file
}

fn byte_level(file: &mut File) {
    let tokens = tokens();
    let count = tokens.len();
    let kinds = (0..count).map(|id| if id + 3 < count { 1 } else { 3 }).collect();
    file.set("tokenizer.ggml.model", Meta::Text("gpt2".into()))
        .set("tokenizer.ggml.pre", Meta::Text("gpt-2".into()))
        .set("tokenizer.ggml.tokens", Meta::Texts(tokens))
        .set("tokenizer.ggml.token_type", Meta::Ints(kinds))
        .set("tokenizer.ggml.merges", Meta::Texts(vec!["t h".into(), "th e".into()]))
        .set("tokenizer.ggml.bos_token_id", Meta::U32(count as u32 - 3))
        .set("tokenizer.ggml.eos_token_id", Meta::U32(count as u32 - 2));
}

fn tensors(file: &mut File) {
    counted(file, "token_embd.weight", &[tokens().len() as u64, HIDDEN]);
    counted(file, "output_norm.weight", &[HIDDEN]);
    for block in 0..2 {
        for (name, shape) in [
            ("attn_norm", &[HIDDEN][..]),
            ("attn_q", &[2 * HEAD_DIM, HIDDEN]),
            ("attn_k", &[HEAD_DIM, HIDDEN]),
            ("attn_v", &[HEAD_DIM, HIDDEN]),
            ("attn_output", &[HIDDEN, 2 * HEAD_DIM]),
            ("ffn_norm", &[HIDDEN]),
            ("ffn_gate", &[INNER, HIDDEN]),
            ("ffn_up", &[INNER, HIDDEN]),
            ("ffn_down", &[HIDDEN, INNER]),
        ] {
            counted(file, &format!("blk.{block}.{name}.weight"), shape);
        }
    }
}

/// A tensor whose values count up from zero in steps that bf16 holds exactly.
pub(crate) fn counted(file: &mut File, name: &str, shape: &[u64]) {
    let count = shape.iter().product::<u64>();
    let values: Vec<f32> = (0..count).map(|index| (index % 256) as f32 / 16.0).collect();
    file.singles(name, shape, &values);
}

/// The same with a SentencePiece-style tokenizer: pieces of one and two letters, and all bytes.
pub(crate) fn sentencepiece() -> File {
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let pieces = ["▁", "t", "h", "e", "he", "▁t", "▁the", "th"].map(String::from);
    let special = ["<unk>", "<s>", "</s>"].map(String::from);
    let tokens: Vec<_> = special.into_iter().chain(bytes).chain(pieces).collect();
    let types = (0..tokens.len()).map(|id| match id {
        0 => 2,
        1 | 2 => 3,
        3..259 => 6,
        _ => 1,
    });
    let scores = (0..tokens.len()).map(|id| -(id as f32)).collect();
    let mut file = file();
    file.set("tokenizer.ggml.token_type", Meta::Ints(types.collect()))
        .set("tokenizer.ggml.model", Meta::Text("llama".into()))
        .set("tokenizer.ggml.scores", Meta::Floats(scores))
        .unset("tokenizer.ggml.bos_token_id")
        .unset("tokenizer.ggml.eos_token_id")
        .unset("tokenizer.ggml.merges")
        .unset("tokenizer.ggml.pre");
    counted(&mut file, "token_embd.weight", &[tokens.len() as u64, HIDDEN]);
    file.set("tokenizer.ggml.tokens", Meta::Texts(tokens));
    file
}

/// Writes `bytes` to a file and opens it.
pub(crate) fn open(bytes: &[u8]) -> lm::Result<lm::Checkpoint> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, bytes).unwrap();
    lm::Checkpoint::open(&path)
}

/// The error that opening `file` gives.
pub(crate) fn refusal(file: &File) -> String {
    match open(&file.bytes()) {
        Ok(_) => panic!("opened"),
        Err(error) => {
            assert!(error.is_bad_input());
            error.to_string()
        }
    }
}

/// Checks that the error names everything in `parts`.
pub(crate) fn refused_naming(file: &File, parts: &[&str]) {
    let error = refusal(file);
    parts.iter().for_each(|part| assert!(error.contains(part), "{part:?} is not in {error:?}"));
}
