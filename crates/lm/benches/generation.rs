//! Tokens per second of generation, by batch, on SmolLM2-135M (SECATEUR_SHARED or ../shared).
//!
//!     cargo bench -p secateur-lm --bench generation
//!
//! To compare with: the bound of reading every weight once per step, which is bytes of the weights
//! divided by the memory's bandwidth, times the batch.
#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Instant};

use compute::Precision;
use lm::generation::{Event, Prompt, Sampling, Settings, generate};
use lm::{Checkpoint, Model, Silent};

const NEW_TOKENS: usize = 128;

fn main() {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let shared = std::env::var_os("SECATEUR_SHARED").map_or_else(beside, PathBuf::from);
    let file = shared.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let model = Model::new(Checkpoint::open(&file).unwrap(), Precision::Bf16).unwrap();
    for batch in [1, 4, 16, 64] {
        let (tokens, seconds) = measure(&model, batch);
        println!("batch {batch:2}: {:.0} tokens/s", tokens as f64 / seconds);
    }
}

/// Tokens written after the first of each text, and the time they took; loading is not counted.
fn measure(model: &Model, batch: usize) -> (usize, f64) {
    let start = model.checkpoint().tokenizer.encode("The history of the city", true).unwrap();
    let prompt = |stream| Prompt { tokens: start.clone(), stream };
    let prompts: Vec<_> = (0..batch as u64).map(prompt).collect();
    let settings = Settings {
        sampling: Sampling::default(),
        max_new_tokens: NEW_TOKENS,
        seed: 0,
        stop: Vec::new(),
        memory: None,
        batch: Some(batch),
    };
    let (mut tokens, mut clock) = (0, Instant::now());
    let mut sink = |event| {
        if let Event::Token { .. } = event {
            tokens += 1;
            if tokens == batch {
                clock = Instant::now();
            }
        }
        Ok(())
    };
    generate(model, &prompts, &settings, &mut sink, &Silent).unwrap();
    (tokens - batch, clock.elapsed().as_secs_f64())
}
