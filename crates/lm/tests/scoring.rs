//! Scores against the definition, and their independence of how they were computed.
#![allow(clippy::unwrap_used)]

mod support;

use compute::Precision;
use lm::scoring::{Options, Score, log_likelihoods, token_log_probabilities};
use lm::{Batch, Error, Model, Observer, Silent};
use support::{random_model, random_tokens, with_threads};

/// The score by the definition: all blocks in a row, softmax in f64.
fn naive(model: &Model, tokens: &[u32]) -> Score {
    let mut state = model.embed(tokens).unwrap();
    for index in 0..model.spec().blocks.len() {
        state = model.block(index).unwrap().run(state, &mut Batch::fresh(&[tokens.len()]));
    }
    let logits = model.head().unwrap().logits(state.view());
    let mut score = Score::default();
    for (row, &target) in tokens.iter().skip(1).enumerate() {
        let total: f64 = logits.row(row).iter().map(|&logit| f64::from(logit).exp()).sum();
        score.sum += f64::from(logits.row(row)[target as usize]) - total.ln();
        score.tokens += 1;
    }
    score
}

fn sequences() -> Vec<Vec<u32>> {
    let lengths = [9, 0, 33, 1, 2, 17, 64, 40];
    let sequence = |(index, &length)| random_tokens(index as u64, length);
    lengths.iter().enumerate().map(sequence).collect()
}

fn scores(model: &Model, options: &Options) -> Vec<Vec<f64>> {
    let sequences = sequences();
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    token_log_probabilities(model, &sequences, options, &Silent).unwrap()
}

#[test]
fn scores_are_those_of_the_definition() {
    let model = random_model(Precision::F32);
    let sequences = sequences();
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let found = log_likelihoods(&model, &borrowed, &Options::default(), &Silent).unwrap();
    for (sequence, found) in sequences.iter().zip(&found).filter(|(tokens, _)| !tokens.is_empty()) {
        let expected = naive(&model, sequence);
        assert_eq!(found.tokens, expected.tokens);
        assert!((found.sum - expected.sum).abs() < 1e-4, "{found:?} {expected:?}");
    }
    assert_eq!((found[1], found[3]), (Score::default(), Score::default()));
}

#[test]
fn streaming_memory_and_threads_change_nothing() {
    for precision in [Precision::F32, Precision::Bf16] {
        let model = random_model(precision);
        let expected = scores(&model, &Options::default());
        assert_eq!(expected[6].len(), 63);
        let streamed = Options { streamed: true, memory: None };
        assert_eq!(scores(&model, &streamed), expected);
        let bounded = Options { streamed: true, memory: Some(64 << 20) };
        assert_eq!(scores(&model, &bounded), expected);
        let alone = with_threads(1, || scores(&model, &streamed));
        let three = with_threads(3, || scores(&model, &streamed));
        assert_eq!((&alone, &three), (&expected, &expected));
    }
}

#[test]
fn a_bound_that_nothing_fits_is_an_error_with_a_way_out() {
    let model = random_model(Precision::F32);
    let tokens = random_tokens(0, 20);
    for (streamed, hint) in [(false, "block by block"), (true, "shorter windows")] {
        let options = Options { streamed, memory: Some(1000) };
        let error = log_likelihoods(&model, &[&tokens], &options, &Silent).unwrap_err();
        assert!(matches!(&error, Error::Memory { allowed: 1000, .. }), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_token_outside_the_vocabulary_is_refused() {
    let model = random_model(Precision::F32);
    let error = log_likelihoods(&model, &[&[3, 61, 4]], &Options::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("61"), "{error}");
}

#[test]
fn an_observer_that_cancels_ends_the_work() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let model = random_model(Precision::F32);
    let tokens = random_tokens(0, 20);
    let result = log_likelihoods(&model, &[&tokens], &Options::default(), &Stop);
    assert!(matches!(result, Err(Error::Cancelled)));
}

#[test]
fn perplexity_is_the_exponential_of_the_mean_loss() {
    let score = Score { sum: -2.0, tokens: 2 }.and(Score { sum: -4.0, tokens: 1 });
    assert_eq!(score, Score { sum: -6.0, tokens: 3 });
    assert!((score.perplexity() - 2f64.exp()).abs() < 1e-12);
}
