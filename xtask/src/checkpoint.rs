//! Checkpoints with the shape of known models and random weights.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::json;
use testkit::{Dtype, TinyOptions, tiny_llama};

/// Bytes of one weight file, about.
const SHARD_BYTES: usize = 4 << 30;

/// Options of `checkpoint`.
#[derive(Args)]
pub(crate) struct Options {
    /// The model whose shape it has
    #[arg(long)]
    like: Shape,

    /// Number of blocks; the model's own unless given
    #[arg(long)]
    blocks: Option<usize>,

    /// Seed of the weights
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// The folder to write; it must not exist
    #[arg(long, short)]
    output: PathBuf,
}

/// Models whose shape can be had.
#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    /// SmolLM2-135M: 30 blocks, 576 wide
    #[value(name = "smollm2-135m")]
    SmolLm2_135M,
    /// Llama 3.2 1B: 16 blocks, 2048 wide
    #[value(name = "llama-3.2-1b")]
    Llama32_1B,
    /// Llama 3 8B: 32 blocks, 4096 wide, 16 GB
    #[value(name = "llama-3-8b")]
    Llama3_8B,
}

/// Writes the checkpoint in bf16, tensor by tensor: it takes the memory of the largest.
///
/// The tokenizer is byte-level and knows fewer tokens than the embedding has rows.
pub(crate) fn write(options: &Options) -> anyhow::Result<()> {
    if options.output.exists() {
        bail!("{} exists; give the name of a new folder", options.output.display());
    }
    let mut shape = options.like.options();
    shape.blocks = options.blocks.unwrap_or(shape.blocks);
    shape.seed = options.seed;
    shape.shards = (2 * weights(&shape)).div_ceil(SHARD_BYTES);
    println!("{:.2} GB in {} file(s)", 2e-9 * weights(&shape) as f64, shape.shards);
    tiny_llama(&options.output, &shape);
    Ok(())
}

/// Number of weights, norms not counted.
fn weights(shape: &TinyOptions) -> usize {
    let TinyOptions { hidden, heads, kv_heads, intermediate, .. } = *shape;
    let attention = 2 * hidden * hidden + 2 * hidden * (hidden / heads * kv_heads);
    let embeddings = if shape.tied { 1 } else { 2 };
    shape.blocks * (attention + 3 * hidden * intermediate) + embeddings * shape.vocab * hidden
}

impl Shape {
    fn options(self) -> TinyOptions {
        let common = TinyOptions { dtype: Dtype::BF16, context: 8192, ..TinyOptions::default() };
        let mut shape = match self {
            Shape::SmolLm2_135M => TinyOptions {
                blocks: 30,
                hidden: 576,
                heads: 9,
                kv_heads: 3,
                intermediate: 1536,
                vocab: 49152,
                tied: true,
                ..common
            },
            Shape::Llama32_1B => TinyOptions {
                blocks: 16,
                hidden: 2048,
                heads: 32,
                kv_heads: 8,
                intermediate: 8192,
                vocab: 128_256,
                tied: true,
                ..common
            },
            Shape::Llama3_8B => TinyOptions {
                blocks: 32,
                hidden: 4096,
                heads: 32,
                kv_heads: 8,
                intermediate: 14336,
                vocab: 128_256,
                ..common
            },
        };
        shape.config.insert("rope_theta".into(), json!(500_000.0));
        shape
    }
}
