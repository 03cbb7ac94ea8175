//! A real tiny model, where it is present: its loss on stories is what it was trained to.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use compute::Precision;
use lm::{Batch, Checkpoint, Model, Silent};

/// The folder of shared models and texts.
fn shared() -> PathBuf {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    std::env::var_os("SECATEUR_SHARED").map_or_else(beside, PathBuf::from)
}

/// Mean loss in nats per token over windows of `length` tokens.
fn loss(model: &Model, tokens: &[u32], length: usize) -> f64 {
    let windows: Vec<_> = tokens.chunks_exact(length).collect();
    let lengths = vec![length; windows.len()];
    let mut residual = model.embed(&windows.concat()).unwrap();
    for index in 0..model.spec().blocks.len() {
        residual = model.block(index).unwrap().run(residual, &mut Batch::fresh(&lengths));
    }
    let logits = model.head().unwrap().logits(residual.view());
    let mut total = 0.0;
    for (window, tokens) in windows.iter().enumerate() {
        for (position, &target) in tokens.iter().enumerate().skip(1) {
            let row = logits.row(window * length + position - 1);
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            total += sum.ln() - f64::from(row[target as usize]);
        }
    }
    total / (windows.len() * (length - 1)) as f64
}

#[test]
fn stories260k_has_the_loss_it_was_trained_to() {
    let folder = shared().join("models/stories260k");
    let Ok(text) = std::fs::read_to_string(shared().join("corpora/tinystories.txt")) else {
        println!("skipped: {} is not there", shared().display());
        return;
    };
    let checkpoint = Checkpoint::open(&folder).unwrap();
    assert_eq!(checkpoint.check(&Silent).unwrap(), []);
    assert_eq!(checkpoint.tokenizer.bos, Some(1));
    assert_eq!(checkpoint.tokenizer.eos, [2]);
    let stories: Vec<_> = text.split("\n\n").take(20).collect();
    let encode = |story: &&str| checkpoint.tokenizer.encode(story, true).unwrap();
    let tokens: Vec<_> = stories.iter().flat_map(encode).collect();
    let model = Model::new(checkpoint, Precision::F32).unwrap();
    let loss = loss(&model, &tokens[..tokens.len().min(4096)], 256);
    println!("{loss:.4} nats per token");
    assert!((1.0..2.0).contains(&loss), "{loss}");
}
