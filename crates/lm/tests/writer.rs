//! What is written is what was given, and nothing appears under its name before it is complete.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lm::checkpoint::{CheckpointWriter, write_safetensors};
use lm::{Checkpoint, Dtype, Silent, TensorInfo};
use proptest::prelude::*;
use testkit::{TinyOptions, tiny_llama};

/// A folder with a tiny model in `model` and room for an output.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(options: &TinyOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny_llama(&folder.path().join("model"), options);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn source(&self) -> Checkpoint {
        Checkpoint::open(&self.path("model")).unwrap()
    }

    fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }
}

/// The files of a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    names(folder)
        .into_iter()
        .map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()))
        .collect()
}

/// Writes every tensor of the source, negated where its name has "mlp".
fn write_all(writer: &CheckpointWriter, source: &Checkpoint) {
    for name in source.store.tensors().keys().rev() {
        if name.contains("mlp") {
            let tensor = source.store.read(name).unwrap();
            let values: Vec<_> = tensor.to_f32().iter().map(|value| -value).collect();
            writer.write(name, &tensor.info.dtype.encode(&values)).unwrap();
        }
    }
    writer.copy_rest().unwrap();
}

fn refusal<T>(result: lm::Result<T>) -> String {
    let error = result.err().expect("a refusal");
    assert!(error.is_bad_input(), "{error}");
    error.to_string()
}

#[test]
fn an_output_has_the_tensors_files_and_shards_of_its_source() {
    for shards in [1, 3] {
        let place = Place::new(&TinyOptions { shards, ..Default::default() });
        let source = place.source();
        let output = place.path("new/pruned");
        let writer = CheckpointWriter::create(&output, &source, false).unwrap();
        assert!(!output.exists());
        write_all(&writer, &source);
        writer.add_file("secateur.json", b"{}").unwrap();
        writer.finish(&[]).unwrap();
        let written = Checkpoint::open(&output).unwrap();
        assert_eq!(written.store.tensors(), source.store.tensors());
        assert_eq!(written.store.shards(), source.store.shards());
        for name in source.store.tensors().keys() {
            let (old, new) = (source.store.read(name).unwrap(), written.store.read(name).unwrap());
            assert_eq!(old.bytes == new.bytes, !name.contains("mlp"), "{name}");
        }
        let mut expected = names(&place.path("model"));
        expected.retain(|name| name != "README.md");
        expected.push("secateur.json".into());
        expected.sort();
        assert_eq!(names(&output), expected);
        assert_eq!(names(&place.path("new")), ["pruned"]);
        for name in ["LICENSE", "config.json", "tokenizer.json", "chat_template.jinja"] {
            assert_eq!(
                fs::read(output.join(name)).unwrap(),
                fs::read(place.path("model").join(name)).unwrap()
            );
        }
    }
}

#[test]
fn files_are_those_of_the_safetensors_library() {
    let place = Place::new(&TinyOptions { dtype: testkit::Dtype::BF16, ..Default::default() });
    let source = place.source();
    let writer = CheckpointWriter::create(&place.path("copy"), &source, false).unwrap();
    writer.copy_rest().unwrap();
    writer.finish(&[]).unwrap();
    let bytes = fs::read(place.path("copy/model.safetensors")).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!((header + 8) % 8, 0);
    assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    let copy = Checkpoint::open(&place.path("copy")).unwrap();
    assert_eq!(copy.digest(&Silent).unwrap(), source.digest(&Silent).unwrap());
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let place = Place::new(&TinyOptions { shards: 2, ..Default::default() });
    let source = place.source();
    let whole = CheckpointWriter::create(&place.path("whole"), &source, false).unwrap();
    write_all(&whole, &source);
    whole.finish(&[]).unwrap();

    let output = place.path("killed");
    let writer = CheckpointWriter::create(&output, &source, false).unwrap();
    writer.add_file("journal.json", b"1").unwrap();
    assert!(!CheckpointWriter::exists_partial(&output), "there is nothing to go on with");
    writer.copy("lm_head.weight").unwrap();
    writer.sync().unwrap();
    writer.copy("model.norm.weight").unwrap();
    drop(writer);
    // What a process killed while it wrote leaves behind.
    fs::write(place.path("killed.partial/.journal.json.unfinished"), b"x").unwrap();
    let mark = place.path("killed.partial/.secateur-unfinished");
    let cut = [&fs::read(&mark).unwrap(), &b"\"model.no"[..]].concat();
    fs::write(&mark, cut).unwrap();

    assert!(CheckpointWriter::exists_partial(&output));
    let writer = CheckpointWriter::resume(&output, &source, false).unwrap();
    assert_eq!(fs::read(writer.folder().join("journal.json")).unwrap(), b"1");
    let kept = writer.read("lm_head.weight").unwrap();
    assert_eq!(kept.bytes, source.store.read("lm_head.weight").unwrap().bytes);
    assert!(refusal(writer.read("model.norm.weight")).contains("not written"));
    write_all(&writer, &source);
    writer.finish(&["journal.json"]).unwrap();
    assert_eq!(contents(&output), contents(&place.path("whole")));
    assert!(!CheckpointWriter::exists_partial(&output));
    assert_eq!(place.names(), ["killed", "model", "whole"]);
}

#[test]
fn a_run_killed_while_it_takes_its_name_can_take_it_again() {
    let place = Place::new(&TinyOptions::default());
    let source = place.source();
    let output = place.path("out");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("config.json"), "old").unwrap();
    let writer = CheckpointWriter::create(&output, &source, true).unwrap();
    writer.copy_rest().unwrap();
    writer.sync().unwrap();
    drop(writer);
    // Between the two renames.
    fs::rename(&output, place.path("out.replaced")).unwrap();
    let writer = CheckpointWriter::resume(&output, &source, true).unwrap();
    assert_eq!(fs::read(output.join("config.json")).unwrap(), b"old");
    drop(writer);
    // After the second.
    fs::rename(&output, place.path("out.replaced")).unwrap();
    fs::rename(place.path("out.partial"), &output).unwrap();
    assert!(CheckpointWriter::exists_partial(&output));
    let writer = CheckpointWriter::resume(&output, &source, false).unwrap();
    writer.finish(&[]).unwrap();
    assert_eq!(place.names(), ["model", "out"]);
    let written = Checkpoint::open(&output).unwrap();
    assert_eq!(written.digest(&Silent).unwrap(), source.digest(&Silent).unwrap());
}

#[test]
fn an_incomplete_output_never_takes_its_name() {
    let place = Place::new(&TinyOptions::default());
    let source = place.source();
    let writer = CheckpointWriter::create(&place.path("out"), &source, false).unwrap();
    writer.copy("lm_head.weight").unwrap();
    let message = refusal(writer.finish(&[]));
    assert!(message.contains("model.embed_tokens.weight: it was not written"), "{message}");
    assert!(!place.path("out").exists());
}

#[test]
fn force_replaces_a_checkpoint_only_when_the_new_one_is_complete() {
    let place = Place::new(&TinyOptions::default());
    let source = place.source();
    let output = place.path("out");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("old.txt"), "old").unwrap();
    let message = refusal(CheckpointWriter::create(&output, &source, false));
    assert!(message.contains("not empty") && message.contains("--force"), "{message}");

    let writer = CheckpointWriter::create(&output, &source, true).unwrap();
    writer.copy_rest().unwrap();
    assert_eq!(names(&output), ["old.txt"]);
    writer.finish(&[]).unwrap();
    assert!(!output.join("old.txt").exists());
    Checkpoint::open(&output).unwrap();

    fs::create_dir(output.join("src")).unwrap();
    let message = refusal(CheckpointWriter::create(&output, &source, true));
    assert!(message.contains("no checkpoint"), "{message}");
}

#[test]
fn an_unfinished_output_is_not_lost_by_accident() {
    let place = Place::new(&TinyOptions::default());
    let (source, output) = (place.source(), place.path("out"));
    let writer = CheckpointWriter::create(&output, &source, false).unwrap();
    writer.copy_rest().unwrap();
    writer.sync().unwrap();
    let message = refusal(CheckpointWriter::resume(&output, &source, false));
    assert!(message.contains("another process"), "{message}");
    let message = refusal(CheckpointWriter::create(&output, &source, true));
    assert!(message.contains("another process"), "{message}");
    drop(writer);
    let message = refusal(CheckpointWriter::create(&output, &source, false));
    assert!(message.contains("--resume") && message.contains("--force"), "{message}");
    CheckpointWriter::create(&output, &source, true).unwrap();

    fs::create_dir(place.path("mine.partial")).unwrap();
    fs::write(place.path("mine.partial/notes.txt"), "mine").unwrap();
    let message = refusal(CheckpointWriter::create(&place.path("mine"), &source, true));
    assert!(message.contains("no output of Secateur"), "{message}");
}

#[test]
fn another_model_cannot_go_on() {
    let place = Place::new(&TinyOptions::default());
    let (source, output) = (place.source(), place.path("out"));
    let writer = CheckpointWriter::create(&output, &source, false).unwrap();
    writer.copy_rest().unwrap();
    writer.sync().unwrap();
    drop(writer);
    tiny_llama(&place.path("other"), &TinyOptions { intermediate: 80, ..Default::default() });
    let other = Checkpoint::open(&place.path("other")).unwrap();
    let message = refusal(CheckpointWriter::resume(&output, &other, false));
    assert!(message.contains("model.safetensors") && message.contains("not begun"), "{message}");
    let message = refusal(CheckpointWriter::resume(&place.path("none"), &source, false));
    assert!(message.contains("no unfinished output"), "{message}");
}

#[test]
fn an_output_never_touches_its_source() {
    let place = Place::new(&TinyOptions::default());
    let source = place.source();
    for output in ["model", "model/pruned", "model/../model", "."] {
        let output = place.path(output);
        let message = refusal(CheckpointWriter::create(&output, &source, true));
        assert!(message.contains("must not hold each other"), "{message}");
    }
    fs::write(place.path("file"), "").unwrap();
    let message = refusal(CheckpointWriter::create(&place.path("file"), &source, true));
    assert!(message.contains("this is a file"), "{message}");
}

#[test]
fn wrong_bytes_and_names_are_refused() {
    let place = Place::new(&TinyOptions::default());
    let source = place.source();
    let writer = CheckpointWriter::create(&place.path("out"), &source, false).unwrap();
    let message = refusal(writer.write("model.norm.weight", &[0; 12]));
    assert!(message.contains("256 bytes expected") && message.contains("12 given"), "{message}");
    assert!(refusal(writer.write("no.weight", &[])).contains("no such tensor"));
    for name in ["../up", "/etc/x", "", ".hidden", "a/b", "model.safetensors"] {
        assert!(refusal(writer.add_file(name, b"")).contains("cannot be the name"), "{name}");
    }
}

#[test]
fn a_full_disk_is_seen_before_anything_is_written() {
    let place = Place::new(&TinyOptions::default());
    let mut source = place.source();
    source.store = std::sync::Arc::new(Huge::new());
    let message = refusal(CheckpointWriter::create(&place.path("out"), &source, false));
    assert!(message.contains("bytes of disk space"), "{message}");
    assert_eq!(place.names(), ["model"]);
}

/// A store that says it holds more than any disk.
struct Huge {
    tensors: BTreeMap<String, TensorInfo>,
}

impl Huge {
    fn new() -> Self {
        let info = TensorInfo { dtype: Dtype::F32, shape: vec![1 << 30, 1 << 30] };
        Self { tensors: BTreeMap::from([("huge".to_owned(), info)]) }
    }
}

impl lm::TensorStore for Huge {
    fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    fn read(&self, name: &str) -> lm::Result<lm::Tensor<'_>> {
        Err(lm::Error::tensor(name, "too large"))
    }

    fn read_rows(&self, name: &str, _: std::ops::Range<usize>) -> lm::Result<lm::Tensor<'_>> {
        self.read(name)
    }

    fn shards(&self) -> Vec<lm::checkpoint::Shard> {
        Vec::new()
    }
}

/// Tensors of random names, types, shapes and bytes.
fn tensors() -> impl Strategy<Value = Vec<(String, TensorInfo, Vec<u8>)>> {
    let dtype = prop_oneof![Just(Dtype::F32), Just(Dtype::F16), Just(Dtype::BF16)];
    let shape = prop::collection::vec(0usize..5, 0..4);
    let one =
        ("[a-z\\.\"\\\\\u{e9}\n]{1,12}", dtype, shape).prop_flat_map(|(name, dtype, shape)| {
            let info = TensorInfo { dtype, shape };
            let bytes = prop::collection::vec(any::<u8>(), info.bytes());
            (Just(name), Just(info), bytes)
        });
    prop::collection::btree_map("[a-z\\.\"\\\\\u{e9}\n]{1,12}", one, 0..6).prop_map(|map| {
        map.into_iter().map(|(name, (_, info, bytes))| (name, info, bytes)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_tensors_are_read_back(tensors in tensors()) {
        let place = Place::new(&TinyOptions { blocks: 0, ..Default::default() });
        let given: Vec<_> = tensors.iter()
            .map(|(name, info, bytes)| (name.as_str(), info.clone(), bytes.as_slice())).collect();
        let path = place.path("model/model.safetensors");
        write_safetensors(&path, &given, &BTreeMap::new()).unwrap();
        let first = fs::read(&path).unwrap();
        let library = safetensors::SafeTensors::deserialize(&first).unwrap();
        let read = place.source();
        prop_assert_eq!(read.store.tensors().len(), given.len());
        for (name, info, bytes) in &given {
            let tensor = read.store.read(name).unwrap();
            prop_assert_eq!((&tensor.info, &tensor.bytes[..]), (info, *bytes));
            prop_assert_eq!(library.tensor(name).unwrap().data(), *bytes);
            if let Some(&rows) = info.shape.first() {
                let last = read.store.read_rows(name, rows.min(1)..rows).unwrap();
                let row = bytes.len().checked_div(rows).unwrap_or(0);
                prop_assert_eq!(&last.bytes[..], &bytes[row * rows.min(1)..]);
                prop_assert!(read.store.read_rows(name, 0..rows + 1).is_err());
            }
        }
        write_safetensors(&path, &given, &BTreeMap::new()).unwrap();
        prop_assert_eq!(first, fs::read(&path).unwrap());
    }
}
