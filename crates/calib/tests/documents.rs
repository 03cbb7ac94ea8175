//! Documents: packings, filters, conversations, mixtures, records that cannot be used.

#![allow(clippy::unwrap_used)]

mod common;

use calib::filters::{Duplicates, PerplexityBand, Repetition};
use calib::{CalibrationSet, FilterSettings, Origin, Packing, Portion, Recipe};
use common::{Bench, jsonl, recipe, sentences};
use data::BadRecords;

fn filtered(source: &str, filters: FilterSettings) -> Recipe {
    Recipe { filters, packing: Some(Packing::Whole), ..recipe(source, 2, 64) }
}

fn lines(texts: &[&str]) -> String {
    texts.iter().map(|text| serde_json::json!({ "text": text }).to_string() + "\n").collect()
}

fn documents(set: &CalibrationSet) -> Vec<usize> {
    let number = |origin: &Origin| match origin {
        Origin::Document { document, .. } => *document,
        other => panic!("{other:?}"),
    };
    let mut numbers: Vec<usize> = set.provenance.origins.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn the_published_draw_is_repeated_number_by_number() {
    let bench = Bench::new();
    let lengths: Vec<usize> = (0..40).map(|index| index * 7 % 11).collect();
    let source = bench.file("a.jsonl", jsonl(&lengths));
    let recipe = Recipe { packing: Some(Packing::Reference), seed: 3, ..recipe(&source, 8, 200) };
    let set = bench.collect(&recipe).unwrap();
    // Python's random.seed(3), by a generator that is tested on its own numbers
    let encoded: Vec<Vec<u32>> = (0..40)
        .map(|index| {
            let text = format!("Document {index}. {}", sentences(lengths[index]));
            bench.model.checkpoint().tokenizer.encode(&text, true).unwrap()
        })
        .collect();
    for (sequence, origin) in set.sequences.iter().zip(&set.provenance.origins) {
        let Origin::Document { document, offset, .. } = origin else { panic!("{origin:?}") };
        assert_eq!(&encoded[*document][*offset..offset + 200], &sequence[..]);
    }
    // The first numbers below 64 after random.seed(3), by Python: getrandbits(6).
    let first: Vec<usize> = [15, 37, 34, 8, 23, 58, 38, 30].into();
    let drawn = first.into_iter().filter(|number| *number < 40);
    let long = drawn.clone().find(|document| encoded[*document].len() > 200).unwrap();
    let Origin::Document { document, .. } = &set.provenance.origins[0] else { panic!() };
    assert_eq!(*document, long);
    // Special tokens are part of documents, as published code has them.
    assert!(set.provenance.special_tokens.contains("adds around a document"));
}

#[test]
fn whole_documents_are_sequences_of_their_own_lengths() {
    let bench = Bench::new();
    let source = bench.file("a.jsonl", jsonl(&[1, 2, 9]));
    let whole = |samples| Recipe { packing: Some(Packing::Whole), ..recipe(&source, samples, 100) };
    let set = bench.collect(&whole(3)).unwrap();
    assert_eq!(documents(&set), [0, 1, 2]);
    let mut lengths: Vec<usize> = set.sequences.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert!(lengths[0] < lengths[1] && lengths[1] <= lengths[2], "{lengths:?}");
    assert_eq!(lengths[2], 100);
    let few = bench.refusal(&whole(4));
    assert!(few.contains("3 usable documents found, 4 needed"), "{few}");
    // The first sequences of a larger draw are those of a smaller one.
    assert_eq!(bench.collect(&whole(2)).unwrap().sequences, set.sequences[..2]);
}

#[test]
fn filters_serve_documents_and_say_what_they_dropped() {
    let bench = Bench::new();
    let long = sentences(6);
    let changed = format!("{long} Once more.");
    let loops = "again and again and ".repeat(20);
    let texts = ["short", &long, &long, &changed, "где растут деревья в саду и почему", &loops];
    let source = bench.file("a.jsonl", lines(&texts));
    let default = FilterSettings::default;
    let kept = |filters: FilterSettings| {
        let recipe = Recipe { packing: Some(Packing::Stream), ..filtered(&source, filters) };
        let set = bench.collect(&recipe).unwrap();
        assert_eq!(set.provenance.documents, 6);
        let dropped = set.provenance.dropped.values().sum::<usize>();
        let told = set.provenance.dropped_texts.iter();
        assert_eq!(told.clone().count(), dropped, "few enough to be told one by one");
        assert!(told.clone().all(|one| !one.excerpt.is_empty() && !one.reason.is_empty()));
        let mut numbers: Vec<(String, u64)> = told.map(|o| (o.filter.clone(), o.text)).collect();
        numbers.sort();
        numbers
    };
    let one = |filter: &str, numbers: &[u64]| -> Vec<(String, u64)> {
        numbers.iter().map(|number| (filter.to_owned(), *number)).collect()
    };
    assert!(kept(default()).is_empty());
    assert_eq!(kept(FilterSettings { min_characters: 10, ..default() }), one("length", &[0]));
    let latin = FilterSettings { script: Some("latin".into()), ..default() };
    assert_eq!(kept(latin), one("script", &[4]));
    let exact = FilterSettings { duplicates: Duplicates::Exact, ..default() };
    assert_eq!(kept(exact), one("duplicates", &[2]));
    let near = FilterSettings { duplicates: Duplicates::Near, ..default() };
    assert_eq!(kept(near), one("duplicates", &[2, 3]));
    let repetition = Repetition { share: Some(0.5), ..Repetition::default() };
    assert_eq!(kept(FilterSettings { repetition, ..default() }), one("repetition", &[5]));
    let nothing = FilterSettings { min_characters: 100_000, ..default() };
    let found = bench.refusal(&filtered(&source, nothing));
    assert!(found.contains("none of 6 documents is left (6 by length; for example"), "{found}");
}

#[test]
fn texts_of_evaluation_files_are_excluded() {
    let bench = Bench::new();
    let secret =
        "which of these seven metals melts at the lowest temperature of all the known ones";
    let task = serde_json::json!({"id": 7, "query": {"text": secret}, "choices": ["tin", "gold"]});
    let exclude = vec![bench.file("task.jsonl", task.to_string()).into()];
    let leaked = format!("{} WHICH of these\nseven metals -- {}", sentences(2), &secret[28..]);
    let source = bench.file("a.jsonl", lines(&[&sentences(3), &leaked, &sentences(9)]));
    let recipe = filtered(&source, FilterSettings { exclude, ..FilterSettings::default() });
    let set = bench.collect(&recipe).unwrap();
    assert_eq!(documents(&set), [0, 2]);
    assert_eq!(set.provenance.dropped["excluded"], 1);
    let absent = FilterSettings { exclude: vec!["no/such.jsonl".into()], ..Default::default() };
    assert!(bench.refusal(&filtered(&source, absent)).starts_with("no/such.jsonl"));
}

#[test]
fn perplexity_is_judged_on_the_sequences_that_are_drawn() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(80));
    let with = |filters| Recipe { filters, ..recipe(&source, 8, 32) };
    let all = bench.collect(&with(FilterSettings::default())).unwrap();
    let drop = FilterSettings { drop_share: Some(0.5), ..FilterSettings::default() };
    let set = bench.collect(&with(drop)).unwrap();
    assert_eq!((set.sequences.len(), set.provenance.dropped["perplexity"]), (8, 8));
    assert!(all.sequences.iter().any(|sequence| set.sequences.contains(sequence)));
    let reason = &set.provenance.dropped_texts[0].reason;
    assert!(reason.contains("from the top of 16"), "{reason}");
    let band = PerplexityBand { least: 0.0, most: 1.5 };
    let none = FilterSettings { perplexity: Some(band), ..FilterSettings::default() };
    let found = bench.refusal(&with(none));
    assert!(found.contains("0 of 128 sequences are kept, 8 are needed"), "{found}");
}

#[test]
fn conversations_are_written_by_the_models_own_template() {
    let bench = Bench::new();
    let talk = serde_json::json!({"messages": [
        {"role": "user", "content": "What grows here?"},
        {"role": "assistant", "content": "Trees, as far as the eye can see."}]});
    let source = bench.file("a.jsonl", format!("{talk}\n{talk}\n"));
    let set = bench.collect(&filtered(&source, FilterSettings::default())).unwrap();
    let text = "<s>[user]What grows here?</s>[assistant]Trees, as far as the eye can see.</s>";
    assert_eq!(set.sequences[0], bench.encode(text)[..64.min(bench.encode(text).len())]);
    assert_eq!((set.sequences[0][0], testkit::BOS), (testkit::BOS, testkit::BOS));
}

#[test]
fn records_that_cannot_be_used_are_counted_where_asked() {
    let bench = Bench::new();
    let good = lines(&[&sentences(3), &sentences(4)]);
    let source = bench.file("a.jsonl", format!("{good}{{\"id\": 1}}\nbroken\n{good}"));
    let whole = filtered(&source, FilterSettings::default());
    assert!(bench.refusal(&whole).contains("line 3: no field \"text\""));
    let skip = Recipe { bad_records: BadRecords::Skip, samples: Some(4), ..whole };
    let set = bench.collect(&skip).unwrap();
    assert_eq!((set.provenance.documents, set.provenance.dropped["unusable"]), (4, 2));
    assert!(set.provenance.dropped_texts[0].reason.contains("line 3"));
}

#[test]
fn sources_are_mixed_and_every_sequence_says_where_it_is_from() {
    let bench = Bench::new();
    let text = bench.file("a.txt", sentences(60));
    let records = bench.file("b.jsonl", jsonl(&[9, 20, 15]));
    let portions = |texts: &[String]| -> Vec<Portion> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let mixed = [format!("{text}:3"), format!("{records}:2"), "self:4".into(), "random".into()];
    let mixture = Recipe {
        samples: Some(10),
        length: Some(32),
        seed: 5,
        ..Recipe::of_portions(portions(&mixed))
    };
    let set = bench.collect(&mixture).unwrap();
    assert_eq!(set.sequences.len(), 10);
    let part = |origin: &Origin| match origin {
        Origin::Portion { part, .. } => *part,
        other => panic!("{other:?}"),
    };
    let parts: Vec<usize> = set.provenance.origins.iter().map(part).collect();
    assert_eq!(parts, [0, 0, 0, 1, 1, 2, 2, 2, 2, 3]);
    let digest = bench.model.digest(&lm::Silent).unwrap();
    assert_eq!(set.provenance.parts[2].model.as_deref(), Some(digest));
    // Every portion is what it would be alone.
    let alone = bench.collect(&Recipe { seed: 5, ..recipe(&text, 3, 32) }).unwrap();
    assert_eq!(set.sequences[..3], alone.sequences);
    let path = bench.path("mixed.safetensors");
    set.save(&path, &bench.model.checkpoint().tokenizer).unwrap();
    assert_eq!(CalibrationSet::load(&path).unwrap(), set);
    for (texts, problem) in [
        (vec![text.clone(), text.clone()], "is named twice"),
        (vec![format!("{text}:3"), format!("{records}:2")], "add up to 5"),
        (vec![text, "no/such/file.txt".into()], "no/such/file.txt: "),
    ] {
        let recipe = Recipe { mixture: portions(&texts), ..mixture.clone() };
        assert!(bench.refusal(&recipe).contains(problem), "{problem}");
    }
}

#[test]
fn random_text_is_tokenised_as_text_is() {
    let bench = Bench::new();
    let set = bench.collect(&recipe("random-text", 6, 100)).unwrap();
    assert_eq!((set.sequences.len(), set.length()), (6, Some(100)));
    assert_eq!(bench.collect(&recipe("random-text", 6, 100)).unwrap(), set);
    let seeded = Recipe { seed: 1, ..recipe("random-text", 6, 100) };
    assert_ne!(bench.collect(&seeded).unwrap().digest(), set.digest());
    // the special tokens of the tiny tokenizer
    assert!(set.sequences.iter().flatten().all(|token| !(256..260).contains(token)));
    let filters = FilterSettings { min_characters: 3, ..FilterSettings::default() };
    let found = bench.refusal(&Recipe { filters, ..recipe("random-text", 1, 64) });
    assert!(found.starts_with("filters: "), "{found}");
}
