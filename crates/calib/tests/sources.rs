//! Sources of documents: what is cut, what it says of itself, what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use calib::{Origin, Packing, Recipe, sources};
use common::{Bench, jsonl, recipe, sentences};
use data::Split;
use lm::Model;

#[test]
fn a_text_file_gives_windows_of_its_one_stream() {
    let bench = Bench::new();
    let text = sentences(60);
    let source = bench.file("a.txt", &text);
    let set = bench.collect(&recipe(&source, 9, 32)).unwrap();
    assert_eq!((set.sequences.len(), set.length(), set.tokens()), (9, Some(32), 9 * 32));
    assert_eq!((set.provenance.packing, set.provenance.documents), (Packing::Stream, 1));
    assert_eq!(set.provenance.source, "text");
    let tokens = bench.encode(&text);
    for (sequence, origin) in set.sequences.iter().zip(&set.provenance.origins) {
        let Origin::Stream { offset } = origin else { panic!("{origin:?}") };
        assert_eq!(&tokens[*offset..offset + 32], &sequence[..]);
    }
}

#[test]
fn documents_of_a_stream_are_joined_by_an_empty_line() {
    let bench = Bench::new();
    let source = bench.file("a.jsonl", jsonl(&[1, 2, 1]));
    let text = [1, 2, 1].iter().enumerate();
    let text: Vec<_> = text.map(|(i, n)| format!("Document {i}. {}", sentences(*n))).collect();
    let tokens = bench.encode(&text.join("\n\n"));
    let recipe = Recipe { packing: Some(Packing::Stream), ..recipe(&source, 1, tokens.len()) };
    let set = bench.collect(&recipe).unwrap();
    assert_eq!(set.sequences, [tokens]);
    assert_eq!(set.provenance.separator, "\"\\n\\n\"");
}

#[test]
fn jsonl_gives_crops_of_long_documents_alone() {
    let bench = Bench::new();
    let lengths = [1, 20, 1, 3, 15, 1, 1, 30];
    let source = bench.file("a.jsonl", jsonl(&lengths));
    let set = bench.collect(&recipe(&source, 40, 120)).unwrap();
    assert_eq!(set.provenance.packing, Packing::Document);
    let mut seen = [0; 8];
    for (sequence, origin) in set.sequences.iter().zip(&set.provenance.origins) {
        let Origin::Document { document, file, offset } = origin else { panic!("{origin:?}") };
        let text = format!("Document {document}. {}", sentences(lengths[*document]));
        assert_eq!(&bench.encode(&text)[*offset..offset + 120], &sequence[..]);
        assert_eq!(file, &source);
        seen[*document] += 1;
    }
    assert_eq!(seen[0] + seen[2] + seen[3] + seen[5] + seen[6], 0, "{seen:?}");
    assert!(seen[1] > 3 && seen[4] > 3 && seen[7] > 3, "{seen:?}");
    assert!(set.provenance.notes[0].contains("40 windows come from only 3 of 8 documents"));
}

#[test]
fn one_long_document_among_many_is_found() {
    let bench = Bench::new();
    let mut lengths = vec![1; 500];
    lengths[333] = 30;
    let source = bench.file("a.jsonl", jsonl(&lengths));
    let set = bench.collect(&recipe(&source, 3, 200)).unwrap();
    let of = |origin: &Origin| matches!(origin, Origin::Document { document: 333, .. });
    assert!(set.provenance.origins.iter().all(of));
}

#[test]
fn the_draw_depends_on_the_seed_and_not_on_threads() {
    let bench = Bench::new();
    let source = bench.file("a.jsonl", jsonl(&[9, 20, 1, 3, 15, 30]));
    for packing in Packing::ALL {
        if packing == Packing::Whole {
            continue; // six documents are no twenty sequences
        }
        let of = |seed| Recipe { seed, packing: Some(packing), ..recipe(&source, 20, 100) };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bench.collect(&of(3)).unwrap())
        };
        assert_eq!(on(1), on(5));
        assert_ne!(on(1).digest(), bench.collect(&of(4)).unwrap().digest());
    }
}

#[test]
fn text_is_cut_into_documents_where_asked() {
    let bench = Bench::new();
    let text = format!("short\n\n{}\n\n{}", sentences(9), sentences(12));
    let source = bench.file("a.txt", text);
    let document = Some(Packing::Document);
    let whole = Recipe { packing: document, ..recipe(&source, 4, 64) };
    assert_eq!(bench.collect(&whole).unwrap().provenance.documents, 1);
    let split = Recipe { split: Some(Split::BlankLine), ..whole };
    let set = bench.collect(&split).unwrap();
    assert_eq!(set.provenance.documents, 3);
    let short = |origin: &Origin| matches!(origin, Origin::Document { document: 0, .. });
    assert!(!set.provenance.origins.iter().any(short));
}

#[test]
fn too_short_text_says_how_short_and_what_to_do() {
    let bench = Bench::new();
    let source = bench.file("a.txt", "hello world");
    let found = bench.refusal(&recipe(&source, 2, 64));
    let count = bench.encode("hello world").len();
    assert!(found.contains(&format!("{count} tokens found, at least 64 needed")), "{found}");
    assert!(found.contains("128 tokens fill 2 windows of 64"), "{found}");
    let source = bench.file("a.jsonl", jsonl(&[1, 2, 1]));
    let found = bench.refusal(&recipe(&source, 2, 200));
    assert!(found.contains("the longest of 3 documents: "), "{found}");
    assert!(found.contains("at least 201 needed") && found.contains("`stream`"), "{found}");
    let empty = bench.file("b.txt", " \n");
    assert!(bench.refusal(&recipe(&empty, 2, 64)).contains("it holds no text"));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(50));
    assert!(bench.refusal(&recipe(&source, 0, 64)).starts_with("samples: "));
    assert!(bench.refusal(&recipe(&source, 1, 1)).starts_with("length: "));
    let found = bench.refusal(&recipe(&source, 1, 257));
    assert!(found.contains("2 to 256 (the model's context) expected, 257 found"), "{found}");
    let field = Recipe { field: Some("text".into()), ..recipe(&source, 1, 64) };
    assert!(bench.refusal(&field).contains("the option field applies to files of records"));
    assert!(bench.refusal(&recipe("no/such/file.txt", 1, 64)).starts_with("no/such/file.txt: "));
    assert!(bench.refusal(&recipe("data.csv", 1, 64)).contains("convert it to .jsonl"));
    // Lengths default to the context where that is short.
    let set = bench.collect(&Recipe { samples: Some(2), ..Recipe::of(&source) }).unwrap();
    assert_eq!(set.length(), Some(256));
}

#[test]
fn random_tokens_come_from_the_whole_vocabulary_and_depend_on_the_seed() {
    let bench = Bench::new();
    let drawn = |seed: u64| {
        let recipe = Recipe { seed, ..recipe("random", 64, 128) };
        bench.collect(&recipe).unwrap()
    };
    let set = drawn(0);
    let tokens: std::collections::BTreeSet<u32> = set.sequences.iter().flatten().copied().collect();
    let vocabulary = set.provenance.vocabulary;
    assert!(tokens.len() > vocabulary * 9 / 10, "{} of {vocabulary}", tokens.len());
    assert_eq!(drawn(0), set);
    assert_ne!(drawn(1).sequences, set.sequences);
    let packed = Recipe { packing: Some(Packing::Stream), ..recipe("random", 1, 64) };
    assert!(bench.refusal(&packed).contains("packing"));
}

#[test]
fn every_source_explains_itself() {
    for source in sources::SOURCES {
        assert_eq!(sources::find(source.name()).unwrap().name(), source.name());
        assert!(!source.summary().is_empty());
        for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
            let text = source.explanation();
            assert!(text.lines().any(|line| line == heading), "{}: {heading}", source.name());
        }
    }
    let unknown = sources::find("sefl").err().unwrap().to_string();
    assert!(unknown.contains("\"sefl\"; known: "), "{unknown}");
}

#[test]
fn a_real_file_of_documents_is_drawn_from() {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
    let shared: std::path::PathBuf =
        std::env::var_os("SECATEUR_SHARED").map_or_else(beside, Into::into);
    let Ok(checkpoint) = lm::Checkpoint::open(&shared.join("models/stories260k")) else {
        println!("skipped: {} is not there", shared.display());
        return;
    };
    let model = Model::new(checkpoint, compute::Precision::F32).unwrap();
    let source = shared.join("corpora/c4.jsonl").to_str().unwrap().to_owned();
    let workspace =
        calib::Workspace { model: &model, cache: None, memory: None, hub: None, server: None };
    let set = calib::collect(&recipe(&source, 16, 512), &workspace, &lm::Silent).unwrap();
    assert_eq!((set.sequences.len(), set.length()), (16, Some(512)));
    assert_eq!(set.provenance.documents, 1405);
}
