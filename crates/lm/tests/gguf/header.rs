//! Malformed and hostile files are refused by name.

use super::tiny::{self, refused_naming};
use super::writer::{File, Meta};

fn tiny_with(change: impl FnOnce(&mut File)) -> File {
    let mut file = tiny::file();
    change(&mut file);
    file
}

fn tensor<'a>(file: &'a mut File, name: &str) -> &'a mut super::writer::Entry {
    file.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

const UP: &str = "blk.1.ffn_up.weight";

#[test]
fn a_file_that_is_no_gguf_of_a_known_version_is_refused() {
    refused_naming(&tiny_with(|file| file.magic = *b"ggml"), &["not a GGUF file", "ggml"]);
    refused_naming(&tiny_with(|file| file.version = 1), &["version 1"]);
    refused_naming(&tiny_with(|file| file.version = 9), &["version 9"]);
    refused_naming(&tiny_with(|file| file.version = 3 << 24), &["big-endian"]);
    assert!(tiny::open(b"").is_err());
    assert!(tiny::open(&tiny_with(|file| file.version = 2).bytes()).is_ok());
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = tiny::file().bytes();
    for length in (0..bytes.len() - 32).step_by(97) {
        assert!(tiny::open(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn tensors_outside_the_file_or_over_each_other_are_refused() {
    let far = |offset| tiny_with(|file| tensor(file, UP).offset = Some(offset));
    refused_naming(&far(1 << 20), &[UP, "end beyond", "fetch it again"]);
    refused_naming(&far(u64::MAX - 31), &[UP, "beyond"]);
    refused_naming(&far(33), &[UP, "multiple of 32"]);
    refused_naming(&far(0), &["overlap", "token_embd.weight"]);
}

#[test]
fn impossible_shapes_are_refused() {
    let shaped = |shape: &[u64]| tiny_with(|file| tensor(file, UP).shape = shape.to_vec());
    refused_naming(&shaped(&[]), &[UP, "0 dimensions"]);
    refused_naming(&shaped(&[1, 1, 1, 12, 8]), &[UP, "5 dimensions"]);
    refused_naming(&shaped(&[0, 8]), &[UP, "dimension of 0"]);
    refused_naming(&shaped(&[1 << 62, 1 << 62]), &[UP, "more values than any file holds"]);
    refused_naming(&shaped(&[1 << 40, 8]), &[UP, "beyond"]);
}

#[test]
fn storage_types_that_are_not_read_are_named_with_the_way_out() {
    let typed = |code| tiny_with(|file| tensor(file, UP).code = code);
    refused_naming(&typed(16), &[UP, "IQ2_XXS", "Q8_0", "Q6_K"]);
    refused_naming(&typed(10), &[UP, "Q2_K"]);
    refused_naming(&typed(39), &[UP, "MXFP4"]);
    refused_naming(&typed(777), &[UP, "777"]);
    refused_naming(&typed(8), &[UP, "blocks of 32"]);
}

#[test]
fn names_given_twice_are_refused() {
    let twice = tiny_with(|file| file.tensors.push(file.tensors[3].clone()));
    refused_naming(&twice, &[&twice.tensors[3].name, "twice"]);
    let twice = tiny_with(|file| file.meta.push(("llama.block_count".into(), Meta::U32(2))));
    refused_naming(&twice, &["llama.block_count", "twice"]);
}

#[test]
fn claims_larger_than_the_file_allocate_nothing() {
    let claim = |code: u32, of: u32| {
        let mut bytes = of.to_le_bytes().to_vec();
        bytes.extend(u64::MAX.to_le_bytes());
        tiny_with(|file| file.meta.insert(0, ("big".into(), Meta::Raw(code, bytes))))
    };
    for of in 0..13 {
        assert!(tiny::open(&claim(9, of).bytes()).is_err(), "array of {of}");
    }
    let text = tiny_with(|file| {
        file.meta.insert(0, ("text".into(), Meta::Raw(8, u64::MAX.to_le_bytes().to_vec())));
    });
    refused_naming(&text, &["metadata text", "truncated"]);
    let unknown = tiny_with(|file| file.meta.insert(0, ("odd".into(), Meta::Raw(13, vec![0; 8]))));
    refused_naming(&unknown, &["metadata odd", "type 13"]);
}

#[test]
fn deeply_nested_arrays_are_refused() {
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
    }
    let nested = tiny_with(|file| file.meta.insert(0, ("deep".into(), Meta::Raw(9, bytes))));
    refused_naming(&nested, &["metadata deep", "nested"]);
}

#[test]
fn the_alignment_must_be_a_power_of_two() {
    for alignment in [0, 48, 1 << 30] {
        let file = tiny_with(|file| {
            file.set("general.alignment", Meta::U32(alignment));
        });
        refused_naming(&file, &["general.alignment", "power of two"]);
    }
}

#[test]
fn texts_that_are_not_utf8_are_refused() {
    let mut bytes = 2u64.to_le_bytes().to_vec();
    bytes.extend([0xff, 0xfe]);
    let file = tiny_with(|file| {
        file.set("general.architecture", Meta::Raw(8, bytes));
    });
    refused_naming(&file, &["general.architecture", "UTF-8"]);
}
