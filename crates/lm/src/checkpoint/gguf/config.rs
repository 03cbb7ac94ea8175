//! The config.json that a Llama file's metadata describes.

use serde_json::{Value, json};

use super::header::Header;
use super::metadata::Metadata;
use super::rope::{self, Frequencies};
use super::tokenizer::SpecialIds;
use crate::{Error, Result};

/// The `general.architecture` values that are read.
const KNOWN: &[&str] = &["llama"];

/// The largest size the metadata may give, as for config.json.
const LARGEST_SIZE: u64 = 1 << 28;

/// Metadata of models that share the architecture's name and compute something else.
const FOREIGN: &[&str] = &[
    "llama.attention.clamp_kqv",
    "llama.attention.scale",
    "llama.attention.sliding_window",
    "llama.attn_logit_softcapping",
    "llama.embedding_scale",
    "llama.final_logit_softcapping",
    "llama.logit_scale",
    "llama.residual_scale",
];

/// The sizes of the model.
pub(super) struct Sizes {
    pub(super) blocks: usize,
    pub(super) head_dim: usize,
    hidden: usize,
    inner: usize,
    heads: usize,
    kv_heads: usize,
    context: usize,
    vocabulary: usize,
}

/// Refuses files that are not a whole Llama model.
pub(super) fn check_kind(metadata: &Metadata<'_>) -> Result<()> {
    let kind = metadata.text("general.type")?.unwrap_or("model");
    if kind != "model" {
        return Err(Error::Unsupported {
            what: format!("a GGUF file of the kind {kind:?} (general.type)"),
            hint: "give the file of the model itself".into(),
        });
    }
    if metadata.whole("split.count")?.unwrap_or(1) > 1 {
        return Err(Error::Unsupported {
            what: "a GGUF model split over several files (split.count)".into(),
            hint: "join them with `llama-gguf-split --merge`".into(),
        });
    }
    const KEY: &str = "general.architecture";
    let architecture = metadata.required(KEY, metadata.text(KEY)?)?;
    if !KNOWN.contains(&architecture) {
        return Err(Error::Unsupported {
            what: format!("the architecture {architecture:?} ({KEY})"),
            hint: format!("known architectures of GGUF files: {}", KNOWN.join(", ")),
        });
    }
    plain_llama(metadata)
}

/// Refuses relatives of Llama that go by its name.
fn plain_llama(metadata: &Metadata<'_>) -> Result<()> {
    let experts = metadata.whole("llama.expert_count")?.unwrap_or(0);
    if experts > 0 {
        return Err(Error::Unsupported {
            what: format!("a mixture of {experts} experts (llama.expert_count)"),
            hint: "Llama models with one MLP per block are read from GGUF files".into(),
        });
    }
    match FOREIGN.iter().find(|key| metadata.has(key)) {
        None => Ok(()),
        Some(key) => Err(Error::Unsupported {
            what: format!("metadata {key}"),
            hint: "a Llama model has no such setting; give the original checkpoint".into(),
        }),
    }
}

impl Sizes {
    /// Reads the sizes and checks that rotary positions cover whole heads.
    pub(super) fn read(header: &Header<'_>) -> Result<Self> {
        let metadata = &header.metadata;
        let hidden = size(metadata, "llama.embedding_length")?;
        let heads = size(metadata, "llama.attention.head_count")?;
        let head_dim = size_or(metadata, "llama.attention.key_length", hidden / heads)?;
        for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
            let other = size_or(metadata, key, head_dim)?;
            if other != head_dim {
                let problem = format!("{other} found, the width of a head, {head_dim}, expected");
                return Err(metadata.problem(key, problem));
            }
        }
        if head_dim < 2 || head_dim % 2 != 0 {
            let problem =
                format!("heads {head_dim} wide; rotary positions need an even width above 0");
            return Err(metadata.problem("llama.attention.head_count", problem));
        }
        Ok(Self {
            blocks: blocks(header)?,
            head_dim,
            hidden,
            inner: size(metadata, "llama.feed_forward_length")?,
            heads,
            kv_heads: size_or(metadata, "llama.attention.head_count_kv", heads)?,
            context: size(metadata, "llama.context_length")?,
            vocabulary: vocabulary(header)?,
        })
    }
}

/// The number of blocks, which the tensors must bear out: a spec is made for each.
fn blocks(header: &Header<'_>) -> Result<usize> {
    const KEY: &str = "llama.block_count";
    let blocks = size(&header.metadata, KEY)?;
    if blocks > header.tensors.len() {
        let problem = format!("{blocks} found, but the file has {} tensors", header.tensors.len());
        return Err(header.metadata.problem(KEY, problem));
    }
    Ok(blocks)
}

fn vocabulary(header: &Header<'_>) -> Result<usize> {
    let embedding = header.tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
    let embedding = embedding.ok_or_else(|| Error::tensor("token_embd.weight", "missing"))?;
    size_or(&header.metadata, "llama.vocab_size", embedding.shape[0])
}

fn size(metadata: &Metadata<'_>, key: &str) -> Result<usize> {
    let value = metadata.required(key, metadata.whole(key)?)?;
    if !(1..=LARGEST_SIZE).contains(&value) {
        let problem = format!("{value} found, a whole number from 1 to {LARGEST_SIZE} expected");
        return Err(metadata.problem(key, problem));
    }
    Ok(value as usize)
}

fn size_or(metadata: &Metadata<'_>, key: &str, default: usize) -> Result<usize> {
    if metadata.has(key) { size(metadata, key) } else { Ok(default) }
}

/// The configuration; `factors` are the values of `rope_freqs.weight`.
pub(super) fn config(
    header: &Header<'_>,
    sizes: &Sizes,
    ids: &SpecialIds,
    factors: Option<&[f32]>,
) -> Result<Value> {
    const EPSILON: &str = "llama.attention.layer_norm_rms_epsilon";
    let metadata = &header.metadata;
    let theta = theta(metadata)?;
    let frequencies = Frequencies { theta, head_dim: sizes.head_dim, factors };
    let [attention_bias, mlp_bias] = biases(header, sizes.blocks)?;
    let tied = !header.tensors.iter().any(|tensor| tensor.name == "output.weight");
    let epsilon = metadata.required(EPSILON, metadata.number(EPSILON)?)?;
    Ok(json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.blocks,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "head_dim": sizes.head_dim,
        "hidden_act": "silu",
        "vocab_size": sizes.vocabulary,
        "max_position_embeddings": sizes.context,
        "rms_norm_eps": epsilon,
        "rope_theta": theta,
        "rope_scaling": rope::scaling(metadata, &frequencies)?,
        "attention_bias": attention_bias,
        "mlp_bias": mlp_bias,
        "tie_word_embeddings": tied,
        "bos_token_id": ids.bos,
        "eos_token_id": ids.eos_value(),
        "pad_token_id": ids.pad,
        "use_cache": true,
        "dtype": "bfloat16",
        "torch_dtype": "bfloat16",
    }))
}

fn theta(metadata: &Metadata<'_>) -> Result<f64> {
    const KEY: &str = "llama.rope.freq_base";
    let theta = metadata.number(KEY)?.unwrap_or(10000.0);
    if theta <= 0.0 {
        return Err(metadata.problem(KEY, format!("{theta} found, a number above 0 expected")));
    }
    Ok(theta)
}

/// Whether the linears of the attention and of the MLP have biases: all of them or none.
fn biases(header: &Header<'_>, blocks: usize) -> Result<[bool; 2]> {
    let has = |prefix: &str| -> Result<bool> {
        let biased = |name: &str| name.contains(prefix) && name.ends_with(".bias");
        let found = header.tensors.iter().filter(|tensor| biased(&tensor.name)).count();
        let linears = if prefix == ".attn_" { 4 } else { 3 } * blocks;
        match found {
            0 => Ok(false),
            found if found == linears => Ok(true),
            found => Err(Error::Unsupported {
                what: format!("a model with {found} of {linears} biases ({prefix}*.bias)"),
                hint: "all linears of a Llama model's attention or MLP have a bias, or none".into(),
            }),
        }
    };
    Ok([has(".attn_")?, has(".ffn_")?])
}
