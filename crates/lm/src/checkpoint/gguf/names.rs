//! Where each tensor of a Llama GGUF file belongs in a Hugging Face checkpoint.
//!
//! Source: `constants.py` of the `gguf` package and the Llama class of llama.cpp's converter.

/// What a tensor of the file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A weight or bias under its Hugging Face name.
    Weight { name: String, heads: Heads },
    /// The factors by which rotary frequencies are divided.
    RopeFactors,
    /// Rotary frequencies that follow from the metadata.
    Derived,
}

/// Which heads a tensor's rows belong to, for those whose rows the converter permutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heads {
    /// Rows lie as in the Hugging Face checkpoint.
    None,
    Query,
    KeyValue,
}

/// Tensors outside the blocks.
const WHOLE: &[(&str, &str)] = &[
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// Modules of a block that have weights and may have biases.
const LINEARS: &[(&str, &str, Heads)] = &[
    ("attn_q", "self_attn.q_proj", Heads::Query),
    ("attn_k", "self_attn.k_proj", Heads::KeyValue),
    ("attn_v", "self_attn.v_proj", Heads::None),
    ("attn_output", "self_attn.o_proj", Heads::None),
    ("ffn_gate", "mlp.gate_proj", Heads::None),
    ("ffn_up", "mlp.up_proj", Heads::None),
    ("ffn_down", "mlp.down_proj", Heads::None),
];

/// Norms of a block.
const NORMS: &[(&str, &str)] =
    &[("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")];

/// What tensor `name` of a file with `blocks` blocks is; `None` for one no Llama has.
pub(super) fn role(name: &str, blocks: usize) -> Option<Role> {
    if name == "rope_freqs.weight" {
        return Some(Role::RopeFactors);
    }
    if let Some((_, name)) = WHOLE.iter().find(|(stored, _)| *stored == name) {
        return Some(Role::Weight { name: (*name).to_owned(), heads: Heads::None });
    }
    let (index, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let block: usize = index.parse().ok().filter(|block| *block < blocks)?;
    if block.to_string() != index {
        return None;
    }
    part_of_block(block, part)
}

fn part_of_block(block: usize, part: &str) -> Option<Role> {
    let (module, kind) = part.split_once('.')?;
    let weight = |module: &str, heads| Role::Weight {
        name: format!("model.layers.{block}.{module}.{kind}"),
        heads,
    };
    if let Some((_, module, heads)) = LINEARS.iter().find(|(stored, ..)| *stored == module) {
        return matches!(kind, "weight" | "bias").then(|| weight(module, *heads));
    }
    if kind != "weight" {
        return None;
    }
    if module == "attn_rot_embd" {
        return Some(Role::Derived);
    }
    let norm = NORMS.iter().find(|(stored, _)| *stored == module);
    norm.map(|(_, module)| weight(module, Heads::None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_get_their_hugging_face_names() {
        let weight = |name: &str, heads| Some(Role::Weight { name: name.into(), heads });
        let query = weight("model.layers.11.self_attn.q_proj.weight", Heads::Query);
        assert_eq!(role("blk.11.attn_q.weight", 12), query);
        let bias = weight("model.layers.0.self_attn.k_proj.bias", Heads::KeyValue);
        assert_eq!(role("blk.0.attn_k.bias", 12), bias);
        let norm = weight("model.layers.3.post_attention_layernorm.weight", Heads::None);
        assert_eq!(role("blk.3.ffn_norm.weight", 12), norm);
        assert_eq!(role("output.weight", 12), weight("lm_head.weight", Heads::None));
        assert_eq!(role("rope_freqs.weight", 12), Some(Role::RopeFactors));
    }

    #[test]
    fn tensors_no_llama_has_are_not_placed() {
        for name in [
            "blk.12.attn_q.weight",
            "blk.01.attn_q.weight",
            "blk.+1.attn_q.weight",
            "blk.0.attn_norm.bias",
            "blk.0.attn_q.scale",
            "blk.0.ffn_gate_exps.weight",
            "token_embd.bias",
            "",
        ] {
            assert_eq!(role(name, 12), None, "{name}");
        }
    }
}
