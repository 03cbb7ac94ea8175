//! Which sequences of a pool are kept.

#![allow(clippy::unwrap_used)]

mod common;

use calib::{CalibrationSet, Packing, Recipe, SelectionSettings, selection::SELECTIONS};
use common::{Bench, jsonl, recipe, sentences};
use lm::{Silent, scoring};

fn selecting(rule: &str, pool: usize, recipe: Recipe) -> Recipe {
    let selection = SelectionSettings { rule: Some(rule.into()), pool: Some(pool) };
    Recipe { selection, ..recipe }
}

/// A set and the pool it was selected from.
fn selected(
    bench: &Bench,
    rule: &str,
    from: &Recipe,
    pool: usize,
) -> (CalibrationSet, CalibrationSet) {
    let wanted = from.samples.unwrap();
    let all = bench.collect(&Recipe { samples: Some(pool * wanted), ..from.clone() }).unwrap();
    (bench.collect(&selecting(rule, pool, from.clone())).unwrap(), all)
}

#[test]
fn every_rule_keeps_sequences_of_the_pool_and_says_which() {
    let bench = Bench::new();
    let source = bench.file("a.jsonl", jsonl(&[9, 20, 15, 30, 12, 18]));
    for rule in SELECTIONS {
        let from = Recipe { seed: 3, ..recipe(&source, 5, 40) };
        let (set, pool) = selected(&bench, rule.name(), &from, 3);
        assert_eq!(set.sequences.len(), 5, "{}", rule.name());
        let told = set.provenance.selection.as_ref().unwrap();
        assert_eq!((told.rule.as_str(), told.pool, told.kept.len()), (rule.name(), 15, 5));
        for (place, &kept) in told.kept.iter().enumerate() {
            assert_eq!(set.sequences[place], pool.sequences[kept]);
            assert_eq!(set.provenance.origins[place], pool.provenance.origins[kept]);
        }
        assert!(told.kept.windows(2).all(|pair| pair[0] < pair[1]), "each once: {:?}", told.kept);
        assert_eq!(set.provenance.recipe, selecting(rule.name(), 3, from.clone()));
        let path = bench.path("set.safetensors");
        set.save(&path, &bench.model.checkpoint().tokenizer).unwrap();
        assert_eq!(CalibrationSet::load(&path).unwrap(), set);
        let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = threads.install(|| bench.collect(&selecting(rule.name(), 3, from.clone())));
        assert_eq!(again.unwrap(), set, "{}", rule.name());
    }
}

#[test]
fn typical_keeps_the_highest_by_the_plain_formula() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(400));
    let (set, pool) = selected(&bench, "typical", &recipe(&source, 4, 33), 5);
    let borrowed: Vec<&[u32]> = pool.sequences.iter().map(Vec::as_slice).collect();
    let observed =
        scoring::observe(&bench.model, &borrowed, &scoring::Options::default(), &Silent).unwrap();
    let score = |tokens: &Vec<scoring::TokenMoments>| {
        let mut figures: Vec<f64> =
            tokens.iter().map(|t| (t.log_probability - t.mean) / t.deviation).collect();
        figures.sort_by(f64::total_cmp);
        figures[..16].iter().sum::<f64>() / 16.0
    };
    let scores: Vec<f64> = observed.tokens.iter().map(score).collect();
    let told = set.provenance.selection.unwrap();
    for (found, expected) in told.scores.iter().zip(&scores) {
        assert!((found - expected).abs() < 1e-9);
    }
    let least = told.kept.iter().map(|&kept| scores[kept]).fold(f64::INFINITY, f64::min);
    let left = (0..20).filter(|place| !told.kept.contains(place));
    let most = left.map(|place| scores[place]).fold(f64::NEG_INFINITY, f64::max);
    assert!(least >= most, "{least} {most}");
}

/// Documents of four kinds, most of them of the first: one letter of each, again and again.
#[test]
fn diverse_keeps_one_of_every_planted_kind() {
    let bench = Bench::new();
    let kinds = ["k", "7", "?", "Q"];
    let counts = [26usize, 3, 2, 1];
    let documents = kinds.iter().zip(counts).flat_map(|(kind, count)| {
        (0..count).map(|index| serde_json::json!({ "text": kind.repeat(40 + index) }).to_string())
    });
    let lines: Vec<String> = documents.collect();
    let source = bench.file("kinds.jsonl", lines.join("\n"));
    for seed in 0..5 {
        let from = Recipe { seed, packing: Some(Packing::Whole), ..recipe(&source, 4, 64) };
        let set = bench.collect(&selecting("diverse", 8, from)).unwrap();
        let tokenizer = &bench.model.checkpoint().tokenizer;
        let mut found: Vec<usize> = Vec::new();
        for sequence in &set.sequences {
            let text = tokenizer.decode(sequence, true).unwrap();
            let first = text.trim().chars().next().unwrap();
            found.push(kinds.iter().position(|kind| kind.contains(first)).unwrap());
        }
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 3], "seed {seed}");
    }
}

#[test]
fn random_is_a_draw_of_its_own_from_the_pool() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(400));
    let kept = |seed| {
        let from = Recipe { seed, ..recipe(&source, 6, 32) };
        bench.collect(&selecting("random", 4, from)).unwrap().provenance.selection.unwrap().kept
    };
    assert_eq!(kept(1), kept(1));
    assert_ne!(kept(1), kept(2));
    assert_ne!(kept(1), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn portions_of_a_mixture_are_selected_from_one_by_one() {
    let bench = Bench::new();
    let (one, other) = (bench.file("a.txt", sentences(200)), bench.file("b.txt", sentences(300)));
    let portions = [format!("{one}:3"), format!("{other}:2")].map(|text| text.parse().unwrap());
    let mixture = Recipe { length: Some(32), ..Recipe::of_portions(portions.into()) };
    let set = bench.collect(&selecting("typical", 2, mixture)).unwrap();
    let pools = set.provenance.parts.iter().map(|part| part.selection.as_ref().unwrap().pool);
    assert_eq!((set.sequences.len(), pools.collect::<Vec<_>>()), (5, vec![6, 4]));
}

#[test]
fn settings_that_do_not_serve_are_refused() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(100));
    let plain = recipe(&source, 3, 32);
    let with = |rule: Option<&str>, pool| Recipe {
        selection: SelectionSettings { rule: rule.map(Into::into), pool },
        ..plain.clone()
    };
    assert!(bench.refusal(&with(None, Some(4))).contains("choose a selection"));
    assert!(bench.refusal(&with(Some("random"), Some(1))).contains("2 or more"));
    assert!(bench.refusal(&with(Some("best"), None)).contains("random, typical, diverse"));
    let path = bench.path("set.safetensors");
    let set = bench.collect(&recipe(&source, 8, 32)).unwrap();
    set.save(&path, &bench.model.checkpoint().tokenizer).unwrap();
    let saved = Recipe::of(path.to_str().unwrap());
    let refused = bench.refusal(&selecting("random", 2, saved.clone()));
    assert!(refused.contains("say how many"), "{refused}");
    let few = Recipe { samples: Some(3), ..saved };
    assert_eq!(bench.collect(&selecting("random", 2, few)).unwrap().sequences.len(), 3);
}
