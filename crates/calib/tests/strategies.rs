//! Ways to have a model write.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use calib::synthesis::{self, Request, SYNTHESES, Text};
use calib::{Origin, Recipe, ServerSettings, SynthesisSettings};
use common::{Bench, recipe};
use lm::Silent;
use testkit::{completions::complete, server::Server};

/// The first `count` texts of a strategy, by number.
fn texts(bench: &Bench, settings: &SynthesisSettings, length: usize, count: u64) -> Vec<Text> {
    let streams: Vec<u64> = (0..count).collect();
    write(bench, settings, length, &streams)
}

fn write(bench: &Bench, settings: &SynthesisSettings, length: usize, streams: &[u64]) -> Vec<Text> {
    let request = Request {
        model: &bench.model,
        settings,
        sampling: settings.sampling().unwrap(),
        prefixes: None,
        server: None,
        streams,
        length,
        seed: 9,
        memory: None,
    };
    let mut texts = Vec::new();
    let mut sink = |text| {
        texts.push(text);
        Ok(())
    };
    let strategy = synthesis::find(&settings.strategy).unwrap();
    strategy.write(&request, &mut sink, &Silent).unwrap();
    texts.sort_by_key(|text| text.stream);
    texts
}

fn of(strategy: &str) -> SynthesisSettings {
    SynthesisSettings { strategy: strategy.into(), ..SynthesisSettings::default() }
}

#[test]
fn every_strategy_writes_each_text_once_whatever_is_written_beside_it() {
    let bench = Bench::new();
    let server = Server::start(complete);
    for entry in SYNTHESES {
        let writer = || ServerSettings { url: server.url(), model: "model".into() };
        let writer = entry.asks_a_server().then(writer);
        let settings = SynthesisSettings { server: writer, ..of(entry.name()) };
        let all = texts(&bench, &settings, 40, 12);
        let numbers: Vec<u64> = all.iter().map(|text| text.stream).collect();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>(), "{}", entry.name());
        assert!(all.iter().all(|text| text.tokens.len() >= text.lead + text.prefix));
        let some = write(&bench, &settings, 40, &[7, 2]);
        assert_eq!(some, [all[2].clone(), all[7].clone()], "{}", entry.name());
        let distinct: BTreeSet<&[u32]> = all.iter().map(|text| &text.tokens[..]).collect();
        assert!(distinct.len() > 8, "{}", entry.name());
        let set = bench.collect(&Recipe { synthesis: settings, ..recipe("self", 4, 48) }).unwrap();
        assert!(set.provenance.origins.iter().all(|o| matches!(o, Origin::Generated { .. })));
    }
}

#[test]
fn texts_from_the_beginning_have_the_full_length_and_no_prefix() {
    let bench = Bench::new();
    for length in [5, 30] {
        for text in texts(&bench, &of("bos"), length, 8) {
            assert_eq!((text.lead, text.prefix, text.tokens[0]), (1, 0, testkit::BOS));
            assert!(text.ended || text.tokens.len() == length + 1, "{text:?}");
        }
    }
}

#[test]
fn a_greedy_start_follows_from_its_first_token() {
    let bench = Bench::new();
    for length in [2, 6, 30] {
        for text in texts(&bench, &of("greedy-start"), length, 8) {
            assert_eq!((text.lead, text.prefix), (1, 1));
            assert!(text.ended || text.tokens.len() == length + 1, "{text:?}");
        }
    }
    // What is greedy does not depend on the seed of the draws.
    let all = texts(&bench, &of("greedy-start"), 30, 40);
    let first: BTreeSet<u32> = all.iter().map(|text| text.tokens[1]).collect();
    assert!(first.len() > 20, "first tokens differ");
    let same = |one: &Text, other: &Text| {
        one.tokens[1] != other.tokens[1] || one.tokens[..5] == other.tokens[..5]
    };
    assert!(all.iter().all(|one| {
        all.iter().all(|other| one.tokens.len() < 6 || other.tokens.len() < 6 || same(one, other))
    }));
}

#[test]
fn a_conversation_has_both_sides_in_the_models_template() {
    let bench = Bench::new();
    let tokenizer = &bench.model.checkpoint().tokenizer;
    let mut answered = 0;
    for text in texts(&bench, &of("chat"), 60, 16) {
        let opening = bench.encode("<s>[user]");
        assert!(text.tokens.len() <= 60, "no longer than a window");
        assert_eq!(text.tokens[..opening.len()], opening);
        let readable = tokenizer.decode(&text.tokens, true).unwrap();
        if text.written() == 0 {
            continue; // an empty request is handed over as it is, and dropped as empty
        }
        answered += 1;
        assert_eq!(text.prefix, opening.len());
        assert_eq!(readable.matches("</s>[assistant]").count(), 1, "{readable}");
    }
    assert!(answered > 8, "{answered}");
}

#[test]
fn temperatures_take_turns() {
    let bench = Bench::new();
    let mixed = SynthesisSettings { temperatures: vec![0.0, 1.0], ..of("greedy-start") };
    let alone = |temperature: f32| {
        let settings = of("greedy-start");
        let sampling = settings.sampling().unwrap();
        let sampling = Some(lm::generation::Sampling { temperature, ..sampling });
        texts(&bench, &SynthesisSettings { sampling, ..settings }, 24, 8)
    };
    let (cold, warm) = (alone(0.0), alone(1.0));
    for (index, text) in texts(&bench, &mixed, 24, 8).iter().enumerate() {
        assert_eq!(text, if index % 2 == 0 { &cold[index] } else { &warm[index] });
    }
}

#[test]
fn a_model_without_a_template_cannot_chat() {
    let mut bench = Bench::new();
    let path = bench.path("model/tokenizer_config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config.as_object_mut().unwrap().remove("chat_template");
    std::fs::write(&path, config.to_string()).unwrap();
    let _ = std::fs::remove_file(bench.path("model/chat_template.jinja"));
    let checkpoint = lm::Checkpoint::open(&bench.path("model")).unwrap();
    bench.model = lm::Model::new(checkpoint, compute::Precision::F32).unwrap();
    let found = bench.refusal(&Recipe { synthesis: of("chat"), ..recipe("self", 2, 32) });
    assert!(found.contains("chat template: there is none"), "{found}");
}
