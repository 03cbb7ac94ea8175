//! A tiny random model of the Llama family.

use std::{fs, path::Path};

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::tokenizer::{BOS, CHAT_TEMPLATE, EOS, tokenizer_json};
use crate::weights::{Weight, write_weights};

/// What a tiny model is made of; the default has grouped-query heads, an own head and F32 weights.
#[derive(Clone, Debug)]
pub struct TinyOptions {
    /// Width of the residual stream; a multiple of `heads`.
    pub hidden: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads, a divisor of `heads`.
    pub kv_heads: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Rows of the embedding and tokens of the tokenizer, at least 260.
    pub vocab: usize,
    /// Longest sequence.
    pub context: usize,
    /// How weights are stored: F32, F16 or BF16.
    pub dtype: Dtype,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Whether the linears of the attention have biases.
    pub attention_bias: bool,
    /// Number of weight files; more than one come with an index.
    pub shards: usize,
    /// Seed of the weights.
    pub seed: u64,
    /// Fields of config.json to add or replace, such as `rope_scaling`.
    pub config: Map<String, Value>,
}

impl Default for TinyOptions {
    fn default() -> Self {
        Self {
            hidden: 64,
            blocks: 2,
            heads: 4,
            kv_heads: 2,
            intermediate: 96,
            vocab: 272,
            context: 256,
            dtype: Dtype::F32,
            tied: false,
            attention_bias: false,
            shards: 1,
            seed: 0,
            config: Map::new(),
        }
    }
}

/// Writes a checkpoint of the Llama family into `folder`, made if need be: config.json, weights,
/// tokenizer.json, tokenizer_config.json, chat_template.jinja, generation_config.json, LICENSE and
/// README.md. The same options give the same bytes.
///
/// Weights are scaled so that logits of random tokens spread by more than 1 and inputs of the
/// linears differ in size from channel to channel.
///
/// # Panics
/// When a file cannot be written or the options contradict each other.
pub fn tiny_llama(folder: &Path, options: &TinyOptions) {
    assert!(options.hidden.is_multiple_of(options.heads), "heads share the width");
    assert!(options.heads.is_multiple_of(options.kv_heads), "heads share keys and values");
    fs::create_dir_all(folder).expect("the folder can be made");
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("the file can be written");
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("values are JSON");
    write("config.json", &pretty(&options.config_json()));
    write("tokenizer.json", &pretty(&tokenizer_json(options.vocab)));
    write("tokenizer_config.json", &pretty(&tokenizer_config()));
    write("generation_config.json", &pretty(&json!({"bos_token_id": BOS, "eos_token_id": [EOS]})));
    write("chat_template.jinja", CHAT_TEMPLATE);
    write("LICENSE", "Random numbers, free for any use.\n");
    write("README.md", "# A tiny random model\n");
    options.write_weights(folder);
}

fn tokenizer_config() -> Value {
    json!({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
        "unk_token": "<unk>", "pad_token": "<pad>", "clean_up_tokenization_spaces": false})
}

impl TinyOptions {
    fn config_json(&self) -> Value {
        let mut config = json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "hidden_size": self.hidden, "intermediate_size": self.intermediate,
            "num_hidden_layers": self.blocks, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "head_dim": self.hidden / self.heads,
            "vocab_size": self.vocab, "max_position_embeddings": self.context,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
            "tie_word_embeddings": self.tied, "attention_bias": self.attention_bias,
            "mlp_bias": false, "bos_token_id": BOS, "eos_token_id": EOS,
            "torch_dtype": self.torch_dtype(),
        });
        for (field, value) in &self.config {
            config[field] = value.clone();
        }
        config
    }

    fn torch_dtype(&self) -> &'static str {
        match self.dtype {
            Dtype::F32 => "float32",
            Dtype::F16 => "float16",
            Dtype::BF16 => "bfloat16",
            other => panic!("no tiny models of type {other:?}"),
        }
    }

    fn write_weights(&self, folder: &Path) {
        let weights = self.weights();
        if self.shards <= 1 {
            return write_weights(&folder.join("model.safetensors"), &weights);
        }
        let mut map = Map::new();
        let size = weights.len().div_ceil(self.shards);
        for (index, shard) in weights.chunks(size).enumerate() {
            let count = weights.len().div_ceil(size);
            let name = format!("model-{:05}-of-{count:05}.safetensors", index + 1);
            write_weights(&folder.join(&name), shard);
            map.extend(shard.iter().map(|weight| (weight.name.clone(), json!(name))));
        }
        let index = json!({"metadata": {}, "weight_map": map}).to_string();
        fs::write(folder.join("model.safetensors.index.json"), index).expect("it can be written");
    }

    /// Every tensor, in the order the model uses them.
    fn weights(&self) -> Vec<Weight> {
        let mut weights = vec![self.matrix("model.embed_tokens", self.vocab, self.hidden, 2.0)];
        for block in 0..self.blocks {
            weights.extend(self.block(&format!("model.layers.{block}")));
        }
        weights.push(self.vector("model.norm.weight", self.hidden, 1.0, 0.2));
        if !self.tied {
            weights.push(self.matrix("lm_head", self.vocab, self.hidden, 2.0));
        }
        weights
    }

    fn block(&self, prefix: &str) -> Vec<Weight> {
        let (hidden, inner) = (self.hidden, self.intermediate);
        let keys = hidden / self.heads * self.kv_heads;
        let linears = [
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", keys, hidden),
            ("self_attn.v_proj", keys, hidden),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ];
        let mut weights = Vec::new();
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            weights.push(self.vector(&format!("{prefix}.{norm}.weight"), hidden, 1.0, 0.4));
        }
        for (name, outputs, inputs) in linears {
            let name = format!("{prefix}.{name}");
            weights.push(self.matrix(&name, outputs, inputs, 1.5));
            if self.attention_bias && name.contains("self_attn") {
                weights.push(self.vector(&format!("{name}.bias"), outputs, 0.0, 0.1));
            }
        }
        weights
    }

    /// A linear that answers a unit input with values of deviation `gain`.
    fn matrix(&self, name: &str, outputs: usize, inputs: usize, gain: f32) -> Weight {
        let deviation = gain / (inputs as f32).sqrt();
        self.weight(&format!("{name}.weight"), vec![outputs, inputs], 0.0, deviation)
    }

    fn vector(&self, name: &str, width: usize, mean: f32, deviation: f32) -> Weight {
        self.weight(name, vec![width], mean, deviation)
    }

    fn weight(&self, name: &str, shape: Vec<usize>, mean: f32, deviation: f32) -> Weight {
        let name = name.to_owned();
        Weight { name, shape, dtype: self.dtype, mean, deviation, seed: self.seed }
    }
}
