//! Divergence against the definition, on tiny random models.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use compute::Precision;
use eval::{Error, divergence};
use lm::scoring::Options;
use lm::{Batch, Checkpoint, Model, Silent};
use tempfile::TempDir;
use testkit::{TinyOptions, tiny_llama};

fn tiny(seed: u64) -> (TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama(folder.path(), &TinyOptions { seed, ..TinyOptions::default() });
    let model = Model::new(Checkpoint::open(folder.path()).unwrap(), Precision::F32).unwrap();
    (folder, model)
}

fn sequences() -> Vec<Vec<u32>> {
    (0..5).map(|i| (0..9 + 4 * i).map(|j| (7 * i + 3 * j + 1) % 60).collect()).collect()
}

/// Probabilities of the next token after every token but the last, in f64.
fn probabilities(model: &Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let inputs = &tokens[..tokens.len() - 1];
    let mut residual = model.embed(inputs).unwrap();
    for index in 0..model.spec().blocks.len() {
        let block = model.block(index).unwrap();
        residual = block.run(residual, &mut Batch::fresh(&[inputs.len()]));
    }
    let logits = model.head().unwrap().logits(residual.view());
    let softmax = |row: usize| {
        let exponentials = logits.row(row).iter().map(|logit| f64::from(*logit).exp());
        let total: f64 = exponentials.clone().sum();
        exponentials.map(|value| value / total).collect()
    };
    (0..inputs.len()).map(softmax).collect()
}

fn largest(row: &[f64]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
}

#[test]
fn it_is_the_mean_of_the_definition_over_all_positions() {
    let ((_a, dense), (_b, other)) = (tiny(1), tiny(2));
    let sequences = sequences();
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let found = divergence(&dense, &other, &borrowed, &Options::default(), &Silent).unwrap();
    let (mut kl, mut agreed, mut loss, mut drift) = (Vec::new(), 0, 0.0, Vec::new());
    for tokens in &sequences {
        let (p, q) = (probabilities(&dense, tokens), probabilities(&other, tokens));
        for (at, (p, q)) in p.iter().zip(&q).enumerate() {
            kl.push(p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum::<f64>());
            agreed += usize::from(largest(p) == largest(q));
            let next = tokens[at + 1] as usize;
            loss -= q[next].ln();
            drift.push(q[next].ln() - p[next].ln());
        }
    }
    let count = kl.len() as f64;
    assert_eq!((found.sequences, found.scored_tokens), (5, kl.len()));
    let mean = kl.iter().sum::<f64>() / count;
    assert!(mean > 1e-3, "the models differ: {mean}");
    assert!((found.mean_kl - mean).abs() < 1e-4 * mean, "{} {mean}", found.mean_kl);
    assert!((found.top1_agreement - agreed as f64 / count).abs() < 1e-12);
    let mean = drift.iter().sum::<f64>() / count;
    let deviation = (drift.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((found.mean_drift - mean).abs() < 1e-5, "{} {mean}", found.mean_drift);
    assert!((found.drift_deviation - deviation).abs() < 1e-5 && deviation > 1e-3);
    let perplexity = (loss / count).exp();
    assert!((found.perplexity - perplexity).abs() < 1e-4 * perplexity);
}

#[test]
fn a_model_does_not_diverge_from_itself_and_streaming_changes_nothing() {
    let ((_a, dense), (_b, other)) = (tiny(1), tiny(2));
    let sequences = sequences();
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let measure = |model: &Model, streamed: bool| {
        let options = Options { streamed, memory: None };
        divergence(&dense, model, &borrowed, &options, &Silent).unwrap()
    };
    let same = measure(&dense, false);
    assert!(same.mean_kl < 1e-12 && same.top1_agreement == 1.0, "{same:?}");
    assert_eq!(same.perplexity, same.reference_perplexity);
    assert_eq!((same.mean_drift, same.drift_deviation), (0.0, 0.0));
    assert_eq!(measure(&other, true), measure(&other, false));
}

#[test]
fn comparisons_without_a_position_or_without_memory_are_refused() {
    let (_folder, dense) = tiny(1);
    let refused = |sequences: &[&[u32]], memory: Option<u64>| {
        let options = Options { streamed: true, memory };
        divergence(&dense, &dense, sequences, &options, &Silent).unwrap_err()
    };
    assert!(matches!(refused(&[&[1], &[]], None), Error::NothingToCompare));
    let tight = refused(&[&[1, 2, 3]], Some(1000));
    assert!(tight.to_string().contains("1000"), "{tight}");
}
