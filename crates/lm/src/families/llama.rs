//! Llama 1–3.x and the models that share its layout (SmolLM2, TinyLlama …).

use compute::{Activation, AttentionShape};
use serde_json::Value;

use super::Family;
use crate::config::Fields;
use crate::{
    BlockSpec, Error, Head, LinearSpec, MlpSpec, Norm, Result, RopeScaling, RopeSpec, Site, Spec,
    Stage,
};

/// `model_type: llama`.
pub(super) struct Llama;

impl Family for Llama {
    fn model_types(&self) -> &'static [&'static str] {
        &["llama"]
    }

    fn summary(&self) -> &'static str {
        "Llama 1-3.x, SmolLM2, TinyLlama: grouped-query attention, gated MLP, rotary positions"
    }

    fn spec(&self, config: &Value) -> Result<Spec> {
        let shape = Shape::read(&Fields::new(config))?;
        Ok(Spec {
            hidden: shape.hidden,
            vocabulary: shape.vocabulary,
            context: shape.context,
            embedding: "model.embed_tokens.weight".into(),
            blocks: (0..shape.blocks).map(|index| shape.block(index)).collect(),
            final_norm: shape.norm("model.norm.weight".into()),
            head: if shape.tied { Head::Tied } else { Head::Own("lm_head.weight".into()) },
        })
    }
}

/// Blocks no model exceeds; their description is made before any tensor is looked at.
const MOST_BLOCKS: u64 = 4096;

/// The fields of config.json that shape the model.
struct Shape {
    hidden: usize,
    vocabulary: usize,
    context: usize,
    blocks: usize,
    tied: bool,
    epsilon: f32,
    attention: AttentionShape,
    attention_bias: bool,
    mlp: MlpSpec,
    mlp_bias: bool,
    rope: RopeSpec,
}

impl Shape {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        let hidden = fields.size("hidden_size")?;
        let context = fields.size_or("max_position_embeddings", 2048)?;
        Ok(Self {
            hidden,
            vocabulary: fields.size("vocab_size")?,
            context,
            blocks: fields.size_up_to("num_hidden_layers", MOST_BLOCKS)?,
            tied: fields.flag_or("tie_word_embeddings", false)?,
            epsilon: fields.number_or("rms_norm_eps", 1e-6)? as f32,
            attention: attention(fields, hidden)?,
            attention_bias: fields.flag_or("attention_bias", false)?,
            mlp: mlp(fields)?,
            mlp_bias: fields.flag_or("mlp_bias", false)?,
            rope: rope(fields)?,
        })
    }

    fn norm(&self, tensor: String) -> Norm {
        Norm { tensor, epsilon: self.epsilon }
    }

    fn block(&self, index: usize) -> BlockSpec {
        let prefix = format!("model.layers.{index}");
        BlockSpec {
            attention: self.attention,
            rope: self.rope.clone(),
            attention_norm: self.norm(format!("{prefix}.input_layernorm.weight")),
            mlp_norm: self.norm(format!("{prefix}.post_attention_layernorm.weight")),
            mlp: self.mlp.clone(),
            stages: self.stages(&prefix),
        }
    }

    fn stages(&self, prefix: &str) -> Vec<Stage> {
        let (hidden, inner) = (self.hidden, self.mlp.intermediate);
        let (q, kv) = (self.attention.query_width(), self.attention.kv_width());
        let attention = |name, outputs, inputs| {
            linear(prefix, &format!("self_attn.{name}_proj"), self.attention_bias, outputs, inputs)
        };
        let mlp = |name, outputs, inputs| {
            linear(prefix, &format!("mlp.{name}_proj"), self.mlp_bias, outputs, inputs)
        };
        let stage = |site, linears| Stage { site, linears };
        vec![
            stage(
                Site::AttentionInput,
                vec![
                    attention("q", q, hidden),
                    attention("k", kv, hidden),
                    attention("v", kv, hidden),
                ],
            ),
            stage(Site::AttentionOutput, vec![attention("o", hidden, q)]),
            stage(Site::MlpInput, vec![mlp("gate", inner, hidden), mlp("up", inner, hidden)]),
            stage(Site::MlpOutput, vec![mlp("down", hidden, inner)]),
        ]
    }
}

fn linear(prefix: &str, name: &str, bias: bool, outputs: usize, inputs: usize) -> LinearSpec {
    LinearSpec {
        name: name.into(),
        tensor: format!("{prefix}.{name}.weight"),
        bias: bias.then(|| format!("{prefix}.{name}.bias")),
        outputs,
        inputs,
    }
}

fn attention(fields: &Fields<'_>, hidden: usize) -> Result<AttentionShape> {
    let heads = fields.size("num_attention_heads")?;
    let kv_heads = fields.size_or("num_key_value_heads", heads)?;
    if heads % kv_heads != 0 {
        let problem = format!("{kv_heads} does not divide num_attention_heads, {heads}");
        return Err(Error::config("num_key_value_heads", problem));
    }
    let head_dim = fields.size_or("head_dim", hidden / heads)?;
    if head_dim == 0 || head_dim % 2 != 0 {
        let problem = format!("{head_dim}; rotary positions need an even width above 0");
        return Err(Error::config("head_dim", problem));
    }
    Ok(AttentionShape { heads, kv_heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt() })
}

fn mlp(fields: &Fields<'_>) -> Result<MlpSpec> {
    let activation = match fields.text_or("hidden_act", "silu")? {
        "silu" | "swish" => Activation::Silu,
        other => {
            let problem = format!("{other:?} found, \"silu\" expected for a llama model");
            return Err(Error::config("hidden_act", problem));
        }
    };
    Ok(MlpSpec { intermediate: fields.size("intermediate_size")?, activation })
}

/// Reads transformers 5's `rope_parameters` or transformers 4's `rope_theta` and `rope_scaling`.
fn rope(fields: &Fields<'_>) -> Result<RopeSpec> {
    let rules = fields.object("rope_parameters")?;
    let older = fields.object("rope_scaling")?;
    let theta = match &rules {
        Some(rules) if rules.has("rope_theta") => rules.number("rope_theta")?,
        _ => fields.number_or("rope_theta", 10000.0)?,
    };
    let scaling = rules.or(older).map_or(Ok(RopeScaling::None), |rules| rope_scaling(&rules))?;
    Ok(RopeSpec { theta, scaling })
}

fn rope_scaling(rules: &Fields<'_>) -> Result<RopeScaling> {
    let name = if rules.has("rope_type") { "rope_type" } else { "type" };
    match rules.text_or(name, "default")? {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: rules.number("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: rules.number("factor")?,
            low_frequency_factor: rules.number("low_freq_factor")?,
            high_frequency_factor: rules.number("high_freq_factor")?,
            original_context: rules.number("original_max_position_embeddings")?,
        }),
        other => Err(rules.problem(name, format!("{other:?}; known: default, linear, llama3"))),
    }
}
