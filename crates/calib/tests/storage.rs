//! Saved sets: bit for bit, and what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::HashMap, fs, path::Path};

use calib::{CalibrationSet, Packing, Recipe};
use common::{Bench, jsonl, recipe, sentences};
use proptest::prelude::*;
use safetensors::{Dtype, tensor::TensorView};
use testkit::TinyOptions;

fn saved(bench: &Bench) -> (CalibrationSet, String) {
    let source = bench.file("a.jsonl", jsonl(&[9, 20, 15]));
    let set = bench.collect(&recipe(&source, 6, 64)).unwrap();
    let path = bench.path("set.safetensors");
    set.save(&path, &bench.model.checkpoint().tokenizer).unwrap();
    (set, path.to_str().unwrap().to_owned())
}

#[test]
fn a_set_is_loaded_bit_for_bit_and_saved_to_the_same_bytes() {
    let bench = Bench::new();
    let (set, path) = saved(&bench);
    let loaded = CalibrationSet::load(path.as_ref()).unwrap();
    assert_eq!(loaded, set);
    assert_eq!(loaded.digest(), set.digest());
    let again = bench.path("again.safetensors");
    loaded.save(&again, &bench.model.checkpoint().tokenizer).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    assert_eq!(
        fs::read(bench.path("set.jsonl")).unwrap(),
        fs::read(bench.path("again.jsonl")).unwrap()
    );
    let left = fs::read_dir(bench.folder.path()).unwrap();
    let unfinished = |name: &str| name.contains("partial") || name.contains("unfinished");
    assert!(!left.flatten().any(|file| unfinished(&file.file_name().to_string_lossy())));
}

#[test]
fn the_view_can_be_read() {
    let bench = Bench::new();
    let (set, _) = saved(&bench);
    let view = fs::read_to_string(bench.path("set.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        view.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), set.sequences.len());
    assert_eq!(lines[3]["index"], 3);
    assert_eq!(lines[3]["tokens"], 64);
    let text = lines[3]["text"].as_str().unwrap();
    assert_eq!(bench.encode(text).len(), 64);
    assert!(lines[3]["origin"]["document"]["offset"].is_u64());
}

#[test]
fn a_saved_set_is_a_source() {
    let bench = Bench::new();
    let (set, path) = saved(&bench);
    assert_eq!(bench.collect(&Recipe::of(&path)).unwrap(), set);
    let two = bench.collect(&Recipe { samples: Some(2), ..Recipe::of(&path) }).unwrap();
    assert_eq!(two.sequences, set.sequences[..2]);
    assert_eq!(two.provenance.origins, set.provenance.origins[..2]);
    let found = bench.refusal(&recipe(&path, 7, 64));
    assert!(found.contains("1 to 6 (what the set holds) expected, 7 found"), "{found}");
    let found = bench.refusal(&recipe(&path, 6, 65));
    assert!(found.starts_with("length: ") && found.contains("has 64 tokens"), "{found}");
    let packing = Recipe { packing: Some(Packing::Stream), ..Recipe::of(&path) };
    assert!(bench.refusal(&packing).starts_with("packing: "));
}

#[test]
fn a_set_of_another_tokenizer_or_model_is_refused() {
    let bench = Bench::new();
    let (_, path) = saved(&bench);
    let other = Bench::with(&TinyOptions { vocab: 262, ..TinyOptions::default() });
    let found = other.refusal(&Recipe::of(&path));
    assert!(found.contains("another tokenizer"), "{found}");
    let small = Bench::with(&TinyOptions { context: 32, ..TinyOptions::default() });
    let found = small.refusal(&Recipe::of(&path));
    assert!(found.contains("has 64 tokens, the model's context is 32"), "{found}");
}

#[test]
fn sets_that_contradict_themselves_are_refused() {
    let bench = Bench::new();
    let source = bench.file("a.txt", sentences(20));
    let provenance = bench.collect(&recipe(&source, 2, 16)).unwrap().provenance;
    for (sequences, problem) in [
        (vec![], "no sequences"),
        (vec![vec![1]], "1 sequences, 2 origins"),
        (vec![vec![1], vec![]], "sequence 1 is empty"),
        (vec![vec![1], vec![271, 272]], "sequence 1: token 272 found, the vocabulary has 272"),
    ] {
        let error = CalibrationSet::new(sequences, provenance.clone()).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains(problem), "{error}");
    }
}

/// Writes a safetensors file with one metadata entry.
fn write(path: &Path, tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)], metadata: (&str, &str)) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata = HashMap::from([(metadata.0.to_owned(), metadata.1.to_owned())]);
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

fn ends(ends: &[i64]) -> (&'static str, Dtype, Vec<usize>, Vec<u8>) {
    let bytes = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
    ("ends", Dtype::I64, vec![ends.len()], bytes)
}

#[test]
fn hostile_files_are_refused_by_name() {
    let bench = Bench::new();
    let (set, path) = saved(&bench);
    let tokens = |count: usize| ("tokens", Dtype::U32, vec![count], vec![1; 4 * count]);
    let json = serde_json::to_string(&set.provenance).unwrap();
    let good = ("calibration", json.as_str());
    let six = ends(&[1, 2, 3, 4, 5, 6]);
    let wide = ("tokens", Dtype::U64, vec![3], vec![1; 24]);
    let square = ("tokens", Dtype::U32, vec![3, 2], vec![1; 24]);
    let cases = [
        (vec![tokens(6), six.clone()], ("other", "{}"), "no metadata entry \"calibration\""),
        (vec![tokens(6), six.clone()], ("calibration", "{}"), "missing field"),
        (vec![tokens(6)], good, "`ends` not found"),
        (vec![six.clone()], good, "`tokens` not found"),
        (vec![wide, six.clone()], good, "U32 with one dimension expected, U64 [3] found"),
        (vec![square, six.clone()], good, "U32 [3, 2] found"),
        (vec![tokens(6), ends(&[1, 2, 3, 4, 5, 7])], good, "sequence 5: an end in 5..=6"),
        (vec![tokens(6), ends(&[1, -2, 3, 4, 5, 6])], good, "sequence 1: an end in 1..=6"),
        (vec![tokens(6), ends(&[3, 2, 3, 4, 5, 6])], good, "sequence 1: an end in 3..=6"),
        (vec![tokens(7), six.clone()], good, "1 tokens after the last sequence"),
        (vec![tokens(6), ends(&[6])], good, "1 sequences, 6 origins"),
        (vec![tokens(6), six], good, "token 16843009 found"),
    ];
    for (tensors, metadata, problem) in cases {
        write(path.as_ref(), &tensors, metadata);
        let found = bench.refusal(&Recipe::of(&path));
        assert!(found.starts_with(&path) && found.contains(problem), "{problem}: {found}");
    }
}

#[test]
fn truncated_files_are_refused() {
    let bench = Bench::new();
    let (_, path) = saved(&bench);
    let bytes = fs::read(&path).unwrap();
    for kept in [0, 7, 8, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..kept]).unwrap();
        assert!(bench.refusal(&Recipe::of(&path)).starts_with(&path));
    }
    fs::write(&path, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    assert!(bench.refusal(&Recipe::of(&path)).starts_with(&path));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn ragged_sequences_round_trip(
        sequences in prop::collection::vec(prop::collection::vec(0u32..272, 1..40), 1..12),
    ) {
        let bench = Bench::with(&TinyOptions { blocks: 1, ..TinyOptions::default() });
        let source = bench.file("a.txt", sentences(20));
        let provenance =
            bench.collect(&recipe(&source, sequences.len(), 16)).unwrap().provenance;
        let set = CalibrationSet::new(sequences, provenance).unwrap();
        let path = bench.path("set.safetensors");
        set.save(&path, &bench.model.checkpoint().tokenizer).unwrap();
        prop_assert_eq!(CalibrationSet::load(&path).unwrap(), set);
    }
}
