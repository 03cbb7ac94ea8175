//! Time of one block of SmolLM2-135M's shape over 2048 tokens, with random weights.
//!
//!     cargo bench -p secateur-lm --bench block
//!
//! Prints one JSON object per line, as the bench of the kernels does; `bench/kernels` sets it
//! against the same block in `transformers`. An argument leaves out every case whose name does not
//! contain it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use compute::{Matrix, Precision, Stream};
use lm::{Batch, Block, Checkpoint, Model};
use testkit::{Dtype, TinyOptions, tiny_llama};

const TOKENS: usize = 2048;
const HIDDEN: usize = 576;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let options = TinyOptions {
        hidden: HIDDEN,
        blocks: 1,
        heads: 9,
        kv_heads: 3,
        intermediate: 1536,
        context: TOKENS,
        dtype: Dtype::BF16,
        ..TinyOptions::default()
    };
    tiny_llama(folder.path(), &options);
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    for (name, precision) in [("bf16", Precision::Bf16), ("f32", Precision::F32)] {
        let case = format!("block {name} {TOKENS} smollm2-135m");
        if part.as_deref().is_some_and(|part| !case.contains(part)) {
            continue;
        }
        let model = Model::new(Checkpoint::open(folder.path()).unwrap(), precision).unwrap();
        let block = model.block(0).unwrap();
        let seconds = fastest(&block, precision);
        let flops = flops();
        println!(
            "{{\"case\": \"{case}\", \"seconds\": {seconds:.9}, \"flops\": {flops}, \"bytes\": 0}}"
        );
    }
}

/// Operations of the linears and of the attention's visible pairs.
fn flops() -> usize {
    let weights = HIDDEN * (2 * HIDDEN + 2 * 192 + 3 * 1536);
    2 * TOKENS * weights + 4 * TOKENS * (TOKENS + 1) / 2 * HIDDEN
}

/// Seconds of the fastest run; each takes the residual stream of the one before.
fn fastest(block: &Block, precision: Precision) -> f64 {
    let stream = Stream::new(1, 0);
    let values = (0..TOKENS * HIDDEN).map(|index| stream.uniform(index as u64) as f32 - 0.5);
    let mut residual = Matrix::from_vec(TOKENS, HIDDEN, values.collect());
    precision.round_slice(residual.as_mut_slice());
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        residual = block.run(residual, &mut Batch::fresh(&[TOKENS]));
        best = best.min(start.elapsed().as_secs_f64());
    }
    assert!(compute::first_non_finite(residual.as_slice()).is_none(), "a finite residual stream");
    best
}
