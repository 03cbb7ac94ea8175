//! Continuations: what begins alike runs once, and the figures are those of running it all.
#![allow(clippy::unwrap_used)]

mod support;

use compute::Precision;
use lm::scoring::{Continuation, Options, Request, continuations, token_log_probabilities};
use lm::{Error, Model, Silent};
use support::{random_model, random_tokens, with_threads};

/// Questions with a common header, some of whose choices begin alike, and sequences of their own.
fn sequences() -> Vec<(Vec<u32>, usize)> {
    let header = random_tokens(1, 30);
    let mut sequences = Vec::new();
    for question in 0..3 {
        let context = [&header[..], &random_tokens(10 + question, 12)].concat();
        for choice in 0..4 {
            let end = random_tokens(100 + choice, 1 + 3 * choice as usize);
            sequences.push(([&context[..], &end].concat(), end.len()));
        }
    }
    sequences.push((random_tokens(50, 40), 39));
    sequences.push((random_tokens(51, 2), 1));
    sequences.push((random_tokens(52, 5), 0));
    let repeated = sequences[2].clone();
    sequences.push(repeated);
    sequences.push((header, 7));
    sequences
}

fn measure(model: &Model, options: &Options) -> Vec<Continuation> {
    let sequences = sequences();
    let request = |(tokens, scored): &(Vec<u32>, usize)| -> Request<'_> {
        Request { tokens: Box::leak(tokens.clone().into_boxed_slice()), scored: *scored }
    };
    let requests: Vec<_> = sequences.iter().map(request).collect();
    continuations(model, &requests, options, &Silent).unwrap()
}

#[test]
fn figures_are_bit_by_bit_those_of_whole_sequences() {
    for precision in [Precision::F32, Precision::Bf16] {
        let model = random_model(precision);
        let sequences = sequences();
        let whole: Vec<&[u32]> = sequences.iter().map(|(tokens, _)| tokens.as_slice()).collect();
        let expected =
            token_log_probabilities(&model, &whole, &Options::default(), &Silent).unwrap();
        let found = measure(&model, &Options::default());
        for ((found, expected), (_, scored)) in found.iter().zip(&expected).zip(&sequences) {
            let sum = expected[expected.len() - scored..].iter().fold(0.0, |sum, one| sum + one);
            assert_eq!(found.log_likelihood, sum);
        }
        assert_eq!(found[14], Continuation { log_likelihood: 0.0, greedy: true });
        assert_eq!(found[2], found[15]);
    }
}

#[test]
fn streaming_memory_and_threads_change_nothing() {
    let model = random_model(Precision::Bf16);
    let expected = measure(&model, &Options::default());
    for options in [
        Options { streamed: true, memory: None },
        Options { streamed: true, memory: Some(64 << 20) },
    ] {
        assert_eq!(measure(&model, &options), expected);
    }
    for threads in [1, 3] {
        assert_eq!(with_threads(threads, || measure(&model, &Options::default())), expected);
    }
}

#[test]
fn a_continuation_the_model_would_write_itself_is_greedy() {
    let model = random_model(Precision::F32);
    let mut tokens = random_tokens(7, 20);
    let vocabulary = model.spec().vocabulary as u32;
    for _ in 0..2 {
        let best = (0..vocabulary).max_by(|&a, &b| {
            let score = |token| {
                let tokens = [&tokens[..], &[token]].concat();
                let request = Request { tokens: &tokens, scored: 1 };
                continuations(&model, &[request], &Options::default(), &Silent).unwrap()[0]
                    .log_likelihood
            };
            score(a).total_cmp(&score(b))
        });
        tokens.push(best.unwrap());
    }
    let greedy = |tokens: &[u32]| {
        let request = Request { tokens, scored: 2 };
        continuations(&model, &[request], &Options::default(), &Silent).unwrap()[0].greedy
    };
    assert!(greedy(&tokens));
    let last = tokens.last_mut().unwrap();
    *last = (*last + 1) % vocabulary;
    assert!(!greedy(&tokens));
}

#[test]
fn too_little_memory_is_refused() {
    let model = random_model(Precision::F32);
    let request = Request { tokens: &[1, 2, 3], scored: 1 };
    let options = Options { streamed: false, memory: Some(1000) };
    let error = continuations(&model, &[request], &options, &Silent).unwrap_err();
    assert!(matches!(error, Error::Memory { allowed: 1000, .. }), "{error}");
}
