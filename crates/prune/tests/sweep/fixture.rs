//! A tiny random model with calibration data, and what tests do with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use calib::{CalibrationSet, Origin, Packing, Provenance};
use compute::Precision;
use lm::{Checkpoint, Model, Observer, Silent};
use prune::{Job, Propagation, Recipe};
use tempfile::TempDir;
use testkit::{Dtype, TinyOptions, tiny_llama};

pub(crate) const BLOCKS: usize = 3;

/// A dense model and calibration data in a folder of their own.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) model: Model,
    pub(crate) calibration: CalibrationSet,
    pub(crate) held_out: CalibrationSet,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::of(&|_| ())
    }

    /// The same with every value of one tensor `value`.
    pub(crate) fn with_constant(tensor: &str, value: half::bf16) -> Self {
        Self::of(&|dense| {
            let path = dense.join("model.safetensors");
            let mut bytes = std::fs::read(&path).unwrap();
            let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            let (begin, end) = metadata.info(tensor).unwrap().data_offsets;
            let values = bytes[header + 8..][begin..end].as_chunks_mut::<2>().0;
            values.fill(value.to_le_bytes());
            std::fs::write(&path, bytes).unwrap();
        })
    }

    fn of(change: &dyn Fn(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dense = folder.path().join("dense");
        let options = TinyOptions { blocks: BLOCKS, dtype: Dtype::BF16, ..Default::default() };
        tiny_llama(&dense, &options);
        change(&dense);
        let model = Model::new(Checkpoint::open(&dense).unwrap(), Precision::Bf16).unwrap();
        let calibration = random_tokens(&model, 1, &[40, 17, 40, 3]);
        let held_out = random_tokens(&model, 2, &[30, 30]);
        Self { folder, model, calibration, held_out }
    }

    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn job<'a>(&'a self, recipe: &'a Recipe, output: &'a Path) -> Job<'a> {
        Job {
            model: &self.model,
            calibration: Some(&self.calibration),
            held_out: None,
            recipe,
            output,
            memory: None,
            resume: false,
            force: false,
        }
    }

    pub(crate) fn job_with_held_out<'a>(&'a self, recipe: &'a Recipe, output: &'a Path) -> Job<'a> {
        Job { held_out: Some(&self.held_out), ..self.job(recipe, output) }
    }

    pub(crate) fn prune(&self, recipe: &Recipe, name: &str) -> Model {
        let output = self.output(name);
        prune::prune(&self.job(recipe, &output), &Silent).unwrap();
        Model::new(Checkpoint::open(&output).unwrap(), Precision::Bf16).unwrap()
    }
}

pub(crate) fn recipe(propagation: Propagation) -> Recipe {
    Recipe { propagation, ..Recipe::default() }
}

/// Sequences of these lengths.
fn random_tokens(model: &Model, seed: u64, lengths: &[usize]) -> CalibrationSet {
    let stream = compute::Stream::new(seed, 0);
    let token = |index: usize| stream.below(index as u64, 200) as u32;
    let sequence =
        |(index, length): (usize, &usize)| (0..*length).map(|t| token(100 * index + t)).collect();
    let sequences = lengths.iter().enumerate().map(sequence).collect();
    CalibrationSet::new(sequences, provenance(model, lengths.len())).unwrap()
}

fn provenance(model: &Model, sequences: usize) -> Provenance {
    Provenance {
        version: "test".into(),
        source: "text".into(),
        recipe: calib::Recipe::of("random tokens"),
        packing: Packing::Stream,
        separator: String::new(),
        special_tokens: "none".into(),
        tokenizer: model.checkpoint().tokenizer.digest().into(),
        vocabulary: model.spec().vocabulary,
        text_digest: None,
        model: None,
        precision: None,
        documents: 1,
        dropped: BTreeMap::new(),
        dropped_texts: Vec::new(),
        notes: Vec::new(),
        origins: vec![Origin::Stream { offset: 0 }; sequences],
        selection: None,
        parts: Vec::new(),
    }
}

/// Every file of a folder with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| (name(&entry.path()), std::fs::read(entry.path()).unwrap())).collect()
}

/// Cancels when it has been asked `left` times.
pub(crate) struct CancelAfter {
    pub(crate) left: AtomicU64,
}

impl Observer for CancelAfter {
    fn cancelled(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
    }
}
