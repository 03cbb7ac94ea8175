//! Tokens per second of generation, for several numbers of sequences at a time.
//!
//!     cargo bench -p secateur-lm --bench generation -- [MODEL [SEQUENCES [NEW_TOKENS [BATCH …]]]]
//!
//! MODEL is a checkpoint; without it SmolLM2-135M of SECATEUR_SHARED or ../shared is taken. Every
//! text begins with the same prompt and gets all its tokens; loading is not counted. `bench/run
//! generation` compares with `transformers.generate`. The bound: bytes of the weights divided by the
//! memory's bandwidth, times the batch, or the arithmetic's peak, whichever is lower.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::{path::PathBuf, time::Instant};

use compute::Precision;
use lm::generation::{Event, Prompt, Sampling, Settings, generate};
use lm::{Checkpoint, Model, Observer};

/// The moment loading is over.
struct Clock(Mutex<Option<Instant>>);

impl Observer for Clock {
    fn started(&self, stage: &str, _: u64) {
        if stage == "generating" {
            *self.0.lock().unwrap() = Some(Instant::now());
        }
    }
}

fn main() {
    // as the command line does: a thread from outside would sleep while the pool works for it
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
    pool.build_global().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let file = arguments.first().map_or_else(shared_model, PathBuf::from);
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let number = |index: usize| arguments.get(index).map(|text| text.parse::<usize>().unwrap());
    let (sequences, new) = (number(1).unwrap_or(128), number(2).unwrap_or(128));
    let batches: Vec<usize> = (3..arguments.len()).filter_map(number).collect();
    let batches = if batches.is_empty() { vec![1, 8, 64, 128] } else { batches };
    let model = Model::new(Checkpoint::open(&file).unwrap(), Precision::Bf16).unwrap();
    for batch in batches {
        // a batch of one would take minutes for all of them
        let sequences = sequences.min(batch * 16);
        println!("batch {batch:3}: {:.1} tokens/s", measure(&model, sequences, new, batch));
    }
}

fn shared_model() -> PathBuf {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let shared = std::env::var_os("SECATEUR_SHARED").map_or_else(beside, PathBuf::from);
    shared.join("models/SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// Tokens written per second, prompts included in the time.
fn measure(model: &Model, sequences: usize, new: usize, batch: usize) -> f64 {
    let start = model.checkpoint().tokenizer.encode("The history of the city", true).unwrap();
    let prompt = |stream| Prompt { tokens: start.clone(), stream };
    let prompts: Vec<_> = (0..sequences as u64).map(prompt).collect();
    let settings = Settings {
        sampling: Sampling::default(),
        max_new_tokens: new,
        longest: None,
        seed: 0,
        stop: Vec::new(),
        memory: None,
        batch: Some(batch),
    };
    let mut tokens = 0;
    let mut sink = |event| {
        tokens += usize::from(matches!(event, Event::Token { .. }));
        Ok(())
    };
    let clock = Clock(Mutex::new(None));
    generate(model, &prompts, &settings, &mut sink, &clock).unwrap();
    assert_eq!(tokens, sequences * new, "no text ends early");
    let began = clock.0.into_inner().unwrap().unwrap();
    tokens as f64 / began.elapsed().as_secs_f64()
}
