//! Scores against the definition, and their independence of how they were computed.
#![allow(clippy::unwrap_used)]

mod support;

use compute::Precision;
use lm::scoring::{
    Observed, Options, Score, TokenMoments, log_likelihoods, observe, pooled_states,
    token_log_probabilities,
};
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

/// Tokens and inputs by the definition: one sequence, one stage after the other, everything in f64.
fn naive_observation(model: &Model, tokens: &[u32]) -> (Vec<TokenMoments>, Vec<Vec<Vec<f64>>>) {
    let inputs = &tokens[..tokens.len() - 1];
    let mut residual = model.embed(inputs).unwrap();
    let mut squares = Vec::new();
    for index in 0..model.spec().blocks.len() {
        let (frame, block) = (model.frame(index).unwrap(), model.block(index).unwrap());
        let mut state = frame.begin(residual);
        let mut sites = Vec::new();
        for linears in block.stages() {
            let input = state.input.to_matrix();
            let column = |col: usize| {
                let values = (0..input.rows()).map(|row| f64::from(input.row(row)[col]));
                values.map(|value| value * value).sum::<f64>()
            };
            sites.push((0..input.cols()).map(column).collect());
            state = frame.step(state, linears, &mut Batch::fresh(&[inputs.len()]));
        }
        squares.push(sites);
        residual = state.residual;
    }
    let logits = model.head().unwrap().logits(residual.view());
    let moments = |(row, &token): (usize, &u32)| {
        let logits: Vec<f64> = logits.row(row).iter().map(|&logit| f64::from(logit)).collect();
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let logs: Vec<f64> = logits.iter().map(|logit| logit - total.ln()).collect();
        let mean: f64 = logs.iter().map(|log| log.exp() * log).sum();
        let variance: f64 = logs.iter().map(|log| log.exp() * (log - mean).powi(2)).sum();
        TokenMoments { log_probability: logs[token as usize], mean, deviation: variance.sqrt() }
    };
    (tokens[1..].iter().enumerate().map(moments).collect(), squares)
}

fn observed(model: &Model, options: &Options) -> Observed {
    let sequences = sequences();
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    observe(model, &sequences, options, &Silent).unwrap()
}

#[test]
fn what_is_observed_is_what_the_definition_gives() {
    let model = random_model(Precision::F32);
    let found = observed(&model, &Options::default());
    let mut squares: Option<Vec<Vec<Vec<f64>>>> = None;
    for (sequence, found) in sequences().iter().zip(&found.tokens) {
        if sequence.len() < 2 {
            assert!(found.is_empty());
            continue;
        }
        let (expected, sites) = naive_observation(&model, sequence);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found.log_probability - expected.log_probability).abs() < 1e-5);
            assert!((found.mean - expected.mean).abs() < 1e-5, "{found:?} {expected:?}");
            assert!((found.deviation - expected.deviation).abs() < 1e-5);
            assert!((found.standardised() - expected.standardised()).abs() < 1e-3);
        }
        let Some(sums) = &mut squares else {
            squares = Some(sites);
            continue;
        };
        let pairs = sums.iter_mut().flatten().flatten().zip(sites.iter().flatten().flatten());
        pairs.for_each(|(sum, one)| *sum += one);
    }
    let expected = squares.unwrap();
    let seen: usize = sequences().iter().map(|sequence| sequence.len().saturating_sub(1)).sum();
    assert_eq!(found.inputs.tokens, seen as u64);
    for (sites, expected) in found.inputs.blocks.iter().zip(&expected) {
        for (site, expected) in sites.iter().zip(expected) {
            for (found, expected) in site.squared_norms.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4 * expected.abs() + 1e-9, "{:?}", site.site);
            }
        }
    }
}

#[test]
fn what_is_observed_depends_on_nothing_but_model_and_tokens() {
    let model = random_model(Precision::Bf16);
    let expected = observed(&model, &Options::default());
    let streamed = Options { streamed: true, memory: None };
    assert_eq!(observed(&model, &streamed), expected);
    assert_eq!(observed(&model, &Options { streamed: true, memory: Some(64 << 20) }), expected);
    assert_eq!(with_threads(3, || observed(&model, &Options::default())), expected);
    let scores = scores(&model, &Options::default());
    let pairs = scores.iter().flatten().zip(expected.tokens.iter().flatten());
    for (score, token) in pairs {
        assert!((score - token.log_probability).abs() < 1e-9, "the two passes agree");
    }
}

#[test]
fn pooled_states_are_the_means_of_the_residual_stream() {
    let model = random_model(Precision::F32);
    let sequences = sequences();
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    for blocks in 0..=model.spec().blocks.len() {
        let found = pooled_states(&model, &borrowed, blocks, &Options::default(), &Silent).unwrap();
        let streamed = Options { streamed: true, memory: None };
        let again = pooled_states(&model, &borrowed, blocks, &streamed, &Silent).unwrap();
        assert_eq!(found.as_slice(), again.as_slice());
        for (index, tokens) in sequences.iter().enumerate() {
            if tokens.len() < 2 {
                assert!(found.row(index).iter().all(|value| *value == 0.0));
                continue;
            }
            let inputs = &tokens[..tokens.len() - 1];
            let mut state = model.embed(inputs).unwrap();
            for block in 0..blocks {
                let block = model.block(block).unwrap();
                state = block.run(state, &mut Batch::fresh(&[inputs.len()]));
            }
            for (col, found) in found.row(index).iter().enumerate() {
                let sum: f32 = (0..state.rows()).map(|row| state.row(row)[col]).sum();
                assert!((found - sum / state.rows() as f32).abs() < 1e-4);
            }
        }
    }
}
