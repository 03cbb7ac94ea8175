//! Generation: the same text whatever runs beside it, and the ways a text ends.
#![allow(clippy::unwrap_used)]

mod support;

use compute::Precision;
use lm::generation::{Event, Finish, Generated, Prompt, Sampling, Settings, generate, plan};
use lm::scoring::{Options, Score, token_log_probabilities};
use lm::{Batch, Error, Model, Observer, Silent};
use support::{random_model, random_tokens, with_threads};

fn settings() -> Settings {
    let sampling = Sampling { temperature: 0.9, ..Sampling::default() };
    let (memory, batch) = (None, None);
    Settings { sampling, max_new_tokens: 20, longest: None, seed: 5, stop: vec![2], memory, batch }
}

/// Prompts of many lengths, each with a stream of its own.
fn prompts() -> Vec<Prompt> {
    let lengths = [3, 0, 12, 1, 30, 7, 1, 2, 50, 5, 4];
    let prompt = |(index, &length): (usize, &usize)| Prompt {
        tokens: random_tokens(index as u64, length),
        stream: index as u64,
    };
    lengths.iter().enumerate().map(prompt).collect()
}

/// The finished texts in the order of the prompts; checks that the streamed tokens are theirs.
fn run(model: &Model, prompts: &[Prompt], settings: &Settings) -> Vec<Generated> {
    let mut streamed = vec![Vec::new(); prompts.len()];
    let mut finished = vec![None; prompts.len()];
    let mut sink = |event| {
        match event {
            Event::Token { prompt, token } => streamed[prompt].push(token),
            Event::Finished(text) => {
                assert_eq!(text.new_tokens(), streamed[text.prompt]);
                let place = text.prompt;
                assert!(finished[place].replace(text).is_none(), "finished once");
            }
        }
        Ok(())
    };
    generate(model, prompts, settings, &mut sink, &Silent).unwrap();
    finished.into_iter().map(Option::unwrap).collect()
}

#[test]
fn batch_threads_memory_and_order_change_nothing() {
    for precision in [Precision::F32, Precision::Bf16] {
        let model = random_model(precision);
        let expected = run(&model, &prompts(), &settings());
        assert!(expected.iter().any(|text| text.new_tokens().len() > 5), "{expected:?}");
        for batch in [1, 2, 7] {
            let settings = Settings { batch: Some(batch), ..settings() };
            assert_eq!(run(&model, &prompts(), &settings), expected, "batch {batch}");
        }
        for threads in [1, 3] {
            let texts = with_threads(threads, || run(&model, &prompts(), &settings()));
            assert_eq!(texts, expected, "{threads} threads");
        }
        let mut backwards = prompts();
        backwards.reverse();
        let mut texts = run(&model, &backwards, &settings());
        texts.reverse();
        let tokens =
            |texts: &[Generated]| texts.iter().map(|t| t.tokens.clone()).collect::<Vec<_>>();
        assert_eq!(tokens(&texts), tokens(&expected));
    }
}

/// Greedy continuation without a cache: the whole text runs again for every token.
fn naive_greedy(model: &Model, start: &[u32], new: usize) -> Vec<u32> {
    let mut tokens = start.to_vec();
    for _ in 0..new {
        let mut state = model.embed(&tokens).unwrap();
        for index in 0..model.spec().blocks.len() {
            state = model.block(index).unwrap().run(state, &mut Batch::fresh(&[tokens.len()]));
        }
        let logits = model.head().unwrap().logits(state.view_rows(tokens.len() - 1..tokens.len()));
        let row = logits.row(0);
        let best = (0..row.len()).rev().max_by(|&l, &r| row[l].total_cmp(&row[r])).unwrap();
        tokens.push(best as u32);
    }
    tokens
}

#[test]
fn the_cache_gives_what_running_the_whole_text_gives() {
    for precision in [Precision::F32, Precision::Bf16] {
        let model = random_model(precision);
        let settings = Settings { sampling: Sampling::greedy(), stop: vec![], ..settings() };
        let prompts: Vec<_> = prompts().into_iter().filter(|p| p.tokens.len() == 12).collect();
        let expected = naive_greedy(&model, &prompts[0].tokens, 20);
        assert_eq!(run(&model, &prompts, &settings)[0].tokens, expected);
    }
}

#[test]
fn the_score_is_what_scoring_the_text_gives() {
    for precision in [Precision::F32, Precision::Bf16] {
        let model = random_model(precision);
        let sampling = Sampling { repetition_penalty: 1.5, ..Sampling::default() };
        let texts = run(&model, &prompts(), &Settings { sampling, ..settings() });
        let tokens: Vec<&[u32]> = texts.iter().map(|text| &text.tokens[..]).collect();
        let probabilities =
            token_log_probabilities(&model, &tokens, &Options::default(), &Silent).unwrap();
        for (text, probabilities) in texts.iter().zip(probabilities) {
            let expected: f64 = probabilities[text.prompt_tokens - 1..].iter().sum();
            assert_eq!(text.score, Score { sum: expected, tokens: text.new_tokens().len() });
        }
    }
}

#[test]
fn seeds_and_streams_make_different_texts() {
    let model = random_model(Precision::F32);
    let sampling = Sampling { temperature: 1.5, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };
    let settings = Settings { sampling, stop: vec![], ..settings() };
    let prompt = |stream| Prompt { tokens: vec![5, 6], stream };
    let texts = run(&model, &[prompt(0), prompt(1), prompt(0)], &settings);
    assert_eq!(texts[0].tokens, texts[2].tokens);
    assert_ne!(texts[0].tokens, texts[1].tokens);
    let other = run(&model, &[prompt(0)], &Settings { seed: 6, ..settings });
    assert_ne!(texts[0].tokens, other[0].tokens);
}

#[test]
fn a_text_ends_at_a_stop_token_the_length_or_the_context() {
    let model = random_model(Precision::F32);
    let prompt = |length| Prompt { tokens: random_tokens(1, length), stream: 0 };
    let greedy = Settings { sampling: Sampling::greedy(), stop: vec![], ..settings() };
    let texts = run(&model, &[prompt(3), prompt(60), prompt(64)], &greedy);
    let ends: Vec<_> = texts.iter().map(|t| (t.new_tokens().len(), t.finish)).collect();
    assert_eq!(ends, [(20, Finish::Length), (4, Finish::Context), (0, Finish::Context)]);
    let stop = texts[0].new_tokens()[3];
    let first = texts[0].new_tokens().iter().position(|&token| token == stop).unwrap();
    let stopped = run(&model, &[prompt(3)], &Settings { stop: vec![stop], ..greedy.clone() });
    assert_eq!(stopped[0].finish, Finish::Stop);
    assert_eq!(stopped[0].new_tokens(), &texts[0].new_tokens()[..=first]);
    let none = run(&model, &[prompt(3)], &Settings { max_new_tokens: 0, ..greedy.clone() });
    assert_eq!((none[0].new_tokens().len(), none[0].finish), (0, Finish::Length));
    let bounded = Settings { longest: Some(10), ..greedy };
    let texts = run(&model, &[prompt(3), prompt(60)], &bounded);
    let lengths: Vec<_> = texts.iter().map(|text| (text.tokens.len(), text.finish)).collect();
    assert_eq!(lengths, [(10, Finish::Length), (60, Finish::Length)]);
}

#[test]
fn an_empty_prompt_begins_with_the_beginning_of_text() {
    let model = random_model(Precision::F32);
    let texts = run(&model, &[Prompt::default()], &settings());
    assert_eq!((texts[0].tokens[0], texts[0].prompt_tokens), (1, 1));
}

#[test]
fn long_prompts_run_in_pieces() {
    let mut config = support::config();
    config["max_position_embeddings"] = 2000.into();
    let store = support::MemoryStore::random(&config, 7);
    let model = support::model(config, store, Precision::F32);
    let prompt = |length| Prompt { tokens: random_tokens(1, length), stream: 0 };
    let settings = Settings { max_new_tokens: 3, ..settings() };
    let prompts = [prompt(700), prompt(5), prompt(900)];
    let together = run(&model, &prompts, &settings);
    for (index, prompt) in prompts.iter().enumerate() {
        let alone = run(&model, std::slice::from_ref(prompt), &settings);
        assert_eq!(alone[0].tokens, together[index].tokens);
    }
}

#[test]
fn the_batch_follows_from_the_memory() {
    let model = random_model(Precision::F32);
    let free = plan(&model, &prompts(), &settings()).unwrap();
    assert_eq!((free.batch, free.longest), (11, 64));
    let one = free.cache_bytes / 11;
    // 2 blocks of 2 heads; whole tiles of 128 tokens, values up to a panel's width of 32
    assert_eq!(one, 2 * 2 * 128 * (8 + 32) * 4);
    let everything = free.weight_bytes + free.working_bytes + free.cache_bytes;
    let bounded =
        |memory| plan(&model, &prompts(), &Settings { memory: Some(memory), ..settings() });
    assert_eq!(bounded(everything).unwrap(), free);
    let half = bounded(everything - 5 * one).unwrap();
    assert!((5..=7).contains(&half.batch), "{half:?}");
    assert!(half.weight_bytes + half.working_bytes + half.cache_bytes <= everything - 5 * one);
    let bf16 = plan(&random_model(Precision::Bf16), &prompts(), &settings()).unwrap();
    assert_eq!(bf16.cache_bytes * 2, free.cache_bytes);
}

#[test]
fn a_model_larger_than_memory_is_refused_with_a_hint() {
    let model = random_model(Precision::F32);
    let settings = Settings { memory: Some(10_000), ..settings() };
    let error = generate(&model, &prompts(), &settings, &mut |_| Ok(()), &Silent).unwrap_err();
    assert!(matches!(&error, Error::Memory { allowed: 10_000, .. }), "{error}");
    assert!(error.to_string().contains("text file"), "{error}");
}

#[test]
fn unusable_prompts_and_settings_are_named() {
    let model = random_model(Precision::F32);
    let refused = |tokens: Vec<u32>, settings: Settings| {
        let prompts = [Prompt { tokens, stream: 0 }];
        plan(&model, &prompts, &settings).unwrap_err().to_string()
    };
    assert!(refused(vec![3; 65], settings()).contains("context is 64"));
    assert!(refused(vec![61], settings()).contains("prompt 0 holds token 61"));
    assert!(refused(vec![1], Settings { batch: Some(0), ..settings() }).contains("batch of 0"));
    let sampling = Sampling { top_p: 2.0, ..Sampling::default() };
    assert!(refused(vec![1], Settings { sampling, ..settings() }).contains("top_p"));
}

#[test]
fn an_error_of_the_sink_and_a_cancelling_observer_end_the_work() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let model = random_model(Precision::F32);
    let cancelled = generate(&model, &prompts(), &settings(), &mut |_| Ok(()), &Stop);
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    let mut failing = |_| Err(Error::Tokenizer("full".into()));
    let failed = generate(&model, &prompts(), &settings(), &mut failing, &Silent);
    assert!(matches!(failed, Err(Error::Tokenizer(_))));
}

#[test]
fn progress_adds_up_to_the_announced_total() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    #[derive(Default)]
    struct Count(AtomicU64, AtomicU64);
    impl Observer for Count {
        fn started(&self, work: &str, total: u64) {
            self.0.fetch_add(if work == "generating" { total } else { 0 }, Relaxed);
            self.1.store(0, Relaxed);
        }
        fn advanced(&self, units: u64) {
            self.1.fetch_add(units, Relaxed);
        }
    }
    let model = random_model(Precision::F32);
    let count = Count::default();
    generate(&model, &prompts(), &settings(), &mut |_| Ok(()), &count).unwrap();
    assert_eq!(count.0.load(Relaxed), count.1.load(Relaxed));
}
