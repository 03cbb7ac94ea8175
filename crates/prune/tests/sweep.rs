//! The sweep as a whole, on a tiny random model.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use calib::{CalibrationSet, Origin, Packing, Provenance};
use compute::{Matrix, Precision};
use lm::{Batch, Checkpoint, Model, Observer, Silent};
use prune::methods::{self, Target};
use prune::{Error, InputStatistics, Job, Needs, Pattern, Propagation, Recipe, Scope};
use tempfile::TempDir;
use testkit::{Dtype, TinyOptions, tiny_llama};

const BLOCKS: usize = 3;

/// A dense model and calibration data in a folder of their own.
struct Fixture {
    folder: TempDir,
    model: Model,
    calibration: CalibrationSet,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dense = folder.path().join("dense");
        tiny_llama(
            &dense,
            &TinyOptions { blocks: BLOCKS, dtype: Dtype::BF16, ..Default::default() },
        );
        let model = Model::new(Checkpoint::open(&dense).unwrap(), Precision::Bf16).unwrap();
        let stream = compute::Stream::new(1, 0);
        let token = |index: usize| stream.below(index as u64, 200) as u32;
        let lengths = [40usize, 17, 40, 3];
        let sequence = |(index, length): (usize, &usize)| {
            (0..*length).map(|t| token(100 * index + t)).collect()
        };
        let sequences = lengths.iter().enumerate().map(sequence).collect();
        let calibration =
            CalibrationSet::new(sequences, provenance(&model, lengths.len())).unwrap();
        Self { folder, model, calibration }
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn job<'a>(&'a self, recipe: &'a Recipe, output: &'a Path) -> Job<'a> {
        Job {
            model: &self.model,
            calibration: Some(&self.calibration),
            recipe,
            output,
            memory: None,
            resume: false,
            force: false,
        }
    }

    fn prune(&self, recipe: &Recipe, name: &str) -> Model {
        let output = self.output(name);
        prune::prune(&self.job(recipe, &output), &Silent).unwrap();
        Model::new(Checkpoint::open(&output).unwrap(), Precision::Bf16).unwrap()
    }
}

fn recipe(propagation: Propagation) -> Recipe {
    Recipe { propagation, ..Recipe::default() }
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
        parts: Vec::new(),
    }
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| (name(&entry.path()), std::fs::read(entry.path()).unwrap())).collect()
}

/// Cancels when it has been asked `left` times.
struct CancelAfter {
    left: AtomicU64,
}

impl Observer for CancelAfter {
    fn cancelled(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
    }
}

/// Wanda over the whole model, written out plainly: the inputs of every linear are recorded from
/// full forward passes, and the model is run again after each change.
fn naive(fixture: &Fixture, propagation: Propagation) -> BTreeMap<String, Matrix> {
    let model = &fixture.model;
    let sequences = &fixture.calibration.sequences;
    let mut residuals: Vec<Matrix> =
        sequences.iter().map(|sequence| model.embed(sequence).unwrap()).collect();
    let mut weights = BTreeMap::new();
    for (index, spec) in model.spec().blocks.iter().enumerate() {
        let frame = model.frame(index).unwrap();
        let mut linears = model.block(index).unwrap().stages().to_vec();
        let dense = linears.clone();
        for (number, stage) in spec.stages.iter().enumerate() {
            let used = if propagation == Propagation::Staged { &linears } else { &dense };
            let mut statistics =
                InputStatistics::new(stage.linears[0].inputs, Needs::SQUARED_NORMS);
            for (residual, sequence) in residuals.iter().zip(sequences) {
                let mut state = frame.begin(residual.clone());
                for linears in &used[..number] {
                    state = frame.step(state, linears, &mut Batch::fresh(&[sequence.len()]));
                }
                statistics.add(state.input.view(), 1);
            }
            let prepared = methods::find("wanda").unwrap().prepare(&statistics).unwrap();
            for (position, linear) in stage.linears.iter().enumerate() {
                let pattern = Pattern::Fraction { sparsity: 0.5 };
                let target = Target { pattern, scope: Scope::Row };
                let matrix = model.matrix(&linear.tensor).unwrap();
                let pruned = prepared.prune(&matrix, target).unwrap().weights;
                linears[number][position] =
                    compute::Linear::new(pruned.clone(), None, model.precision());
                weights.insert(linear.tensor.clone(), pruned);
            }
        }
        for (residual, sequence) in residuals.iter_mut().zip(sequences) {
            let mut state = frame.begin(residual.clone());
            for linears in &linears {
                state = frame.step(state, linears, &mut Batch::fresh(&[sequence.len()]));
            }
            *residual = state.residual;
        }
    }
    weights
}

#[test]
fn both_propagations_equal_their_naive_twins() {
    let fixture = Fixture::new();
    for propagation in [Propagation::Staged, Propagation::Reference] {
        let pruned = fixture.prune(&recipe(propagation), &propagation.to_string());
        for (name, expected) in naive(&fixture, propagation) {
            assert_eq!(pruned.matrix(&name).unwrap(), expected, "{propagation} {name}");
        }
    }
}

#[test]
fn the_propagations_differ_after_the_first_stage_only() {
    let fixture = Fixture::new();
    let staged = naive(&fixture, Propagation::Staged);
    let reference = naive(&fixture, Propagation::Reference);
    let first = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(staged[first], reference[first]);
    assert_ne!(staged, reference);
}

#[test]
fn a_cancelled_run_resumes_to_the_same_bytes() {
    let fixture = Fixture::new();
    for propagation in [Propagation::Staged, Propagation::Reference] {
        let recipe = recipe(propagation);
        let whole = fixture.output(&format!("whole-{propagation}"));
        prune::prune(&fixture.job(&recipe, &whole), &Silent).unwrap();
        let broken = fixture.output(&format!("broken-{propagation}"));
        let mut left = 1;
        let resumed = loop {
            let observer = CancelAfter { left: AtomicU64::new(left) };
            let job = Job { resume: true, ..fixture.job(&recipe, &broken) };
            match prune::prune(&job, &observer) {
                Ok(pruned) => break pruned,
                Err(Error::Model(lm::Error::Cancelled)) => assert!(!broken.exists()),
                Err(error) => panic!("{error}"),
            }
            left += 5; // reach a little further each time
        };
        assert!(left > 6, "it was cancelled at least twice");
        assert_eq!(resumed.blocks.len(), BLOCKS);
        assert_eq!(files(&whole), files(&broken), "{propagation}");
    }
}

#[test]
fn a_run_with_another_recipe_is_not_resumed() {
    let fixture = Fixture::new();
    let output = fixture.output("out");
    let half = recipe(Propagation::Staged);
    let observer = CancelAfter { left: AtomicU64::new(12) };
    prune::prune(&fixture.job(&half, &output), &observer).unwrap_err();
    let other = Recipe { sparsity: "2:4".parse().unwrap(), ..half };
    let job = Job { resume: true, ..fixture.job(&other, &output) };
    let error = prune::prune(&job, &Silent).unwrap_err();
    assert!(matches!(&error, Error::Resume { .. }), "{error}");
    assert!(error.to_string().contains("2:4"), "{error}");
}

#[test]
fn limited_memory_gives_the_same_weights_or_a_clear_refusal() {
    let fixture = Fixture::new();
    let recipe = recipe(Propagation::Staged);
    let free = fixture.output("free");
    prune::prune(&fixture.job(&recipe, &free), &Silent).unwrap();
    let refused = fixture.output("refused");
    let job = Job { memory: Some(1 << 20), ..fixture.job(&recipe, &refused) };
    let error = prune::prune(&job, &Silent).unwrap_err();
    let Error::Model(lm::Error::Memory { needed, .. }) = error else { panic!("{error}") };
    assert!(!refused.exists());
    // exactly what the refusal says is needed: no site's input can be kept
    let tight = fixture.output("tight");
    let job = Job { memory: Some(needed), force: true, ..fixture.job(&recipe, &tight) };
    prune::prune(&job, &Silent).unwrap();
    assert_eq!(files(&free), files(&tight));
}

#[test]
fn patterns_and_skips_hold_in_the_output() {
    let fixture = Fixture::new();
    let skip = vec!["0".to_owned(), "down_proj".to_owned()];
    let recipe = Recipe { sparsity: "2:4".parse().unwrap(), skip, ..Recipe::default() };
    let pruned = fixture.prune(&recipe, "out");
    for (index, block) in pruned.spec().blocks.iter().enumerate() {
        for linear in block.linears() {
            let before = fixture.model.matrix(&linear.tensor).unwrap();
            let after = pruned.matrix(&linear.tensor).unwrap();
            if index == 0 || linear.name == "mlp.down_proj" {
                assert_eq!(before, after, "{}", linear.tensor);
            } else {
                let groups = after.as_slice().chunks(4);
                let zeros = groups.map(|group| group.iter().filter(|w| **w == 0.0).count());
                assert!(zeros.into_iter().all(|zeros| zeros == 2), "{}", linear.tensor);
            }
        }
    }
    let embedding = &pruned.spec().embedding;
    assert_eq!(fixture.model.matrix(embedding).unwrap(), pruned.matrix(embedding).unwrap());
}

#[test]
fn the_thread_count_does_not_change_a_byte() {
    let fixture = Fixture::new();
    let recipe = recipe(Propagation::Staged);
    let outputs = [1, 3].map(|threads| {
        let output = fixture.output(&format!("threads-{threads}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| prune::prune(&fixture.job(&recipe, &output), &Silent)).unwrap();
        files(&output)
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn every_step_runs_over_a_whole_model_either_way() {
    let fixture = Fixture::new();
    for method in ["magnitude", "ria", "dsnot", "sparsegpt", "admm", "alps"] {
        for propagation in [Propagation::Staged, Propagation::Reference] {
            let recipe = Recipe {
                method: method.into(),
                sparsity: Pattern::NofM { keep: 2, of: 4 },
                refine: Some("swaps".into()),
                refit: true,
                propagation,
                ..Recipe::default()
            };
            let output = fixture.output(&format!("{method}-{propagation}"));
            let pruned = prune::prune(&fixture.job(&recipe, &output), &Silent).unwrap();
            assert_eq!(pruned.sparsity.share(), 0.5, "{method} {propagation}");
        }
    }
}

/// The mean of the blocks' sparsities: those of the tiny model have as many weights each.
#[test]
fn every_allocation_meets_the_target_over_a_whole_model() {
    let fixture = Fixture::new();
    for allocation in prune::allocations::ALLOCATIONS {
        for (sparsity, mixed_nm) in [("0.6", false), ("4:8", true)] {
            let name = allocation.name();
            let recipe = Recipe {
                method: "magnitude".into(),
                allocation: name.into(),
                sparsity: sparsity.parse().unwrap(),
                mixed_nm: mixed_nm && name != "uniform",
                ..Recipe::default()
            };
            let output = fixture.output(&format!("{name}-{mixed_nm}"));
            let pruned = prune::prune(&fixture.job(&recipe, &output), &Silent).unwrap();
            let shares = pruned.blocks.iter().map(|b| b.linears[0].target.unwrap().sparsity());
            let shares: Vec<f64> = shares.collect();
            let tolerance = if mixed_nm { 1.0 / 16.0 / BLOCKS as f64 } else { 1e-9 };
            let mean = shares.iter().sum::<f64>() / BLOCKS as f64;
            assert!((mean - recipe.sparsity.sparsity()).abs() <= tolerance + 1e-9, "{name}");
            let differ = shares.iter().any(|share| (share - shares[0]).abs() > 1e-3);
            assert_eq!(differ, name != "uniform", "{name} {shares:?}");
            let most = if mixed_nm { 0.05 } else { 2e-3 };
            assert!((pruned.sparsity.share() - recipe.sparsity.sparsity()).abs() < most, "{name}");
        }
    }
}

#[test]
fn magnitude_needs_no_calibration_and_wanda_says_so() {
    let fixture = Fixture::new();
    let output = fixture.output("magnitude");
    let recipe = Recipe { method: "magnitude".into(), ..Recipe::default() };
    let job = Job { calibration: None, ..fixture.job(&recipe, &output) };
    let pruned = prune::prune(&job, &Silent).unwrap();
    assert!((pruned.sparsity.share() - 0.5).abs() < 1e-3);
    let recipe = Recipe::default();
    let other = fixture.output("wanda");
    let job = Job { calibration: None, ..fixture.job(&recipe, &other) };
    let error = prune::prune(&job, &Silent).unwrap_err();
    assert!(matches!(error, Error::NoCalibration { .. }), "{error}");
    assert!(error.to_string().starts_with("wanda needs"), "{error}");
    let recipe = Recipe { method: "magnitude".into(), refit: true, ..Recipe::default() };
    let other = fixture.output("refit");
    let job = Job { calibration: None, ..fixture.job(&recipe, &other) };
    let error = prune::prune(&job, &Silent).unwrap_err();
    assert!(error.to_string().starts_with("magnitude + refit needs"), "{error}");
    let (method, allocation) = ("magnitude".into(), "owl".into());
    let recipe = Recipe { method, allocation, ..Recipe::default() };
    let job = Job { calibration: None, ..fixture.job(&recipe, &other) };
    let error = prune::prune(&job, &Silent).unwrap_err();
    assert!(error.to_string().starts_with("the allocation owl needs"), "{error}");
}

#[test]
fn impossible_requests_are_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    let output = fixture.output("out");
    let refuse = |recipe: Recipe, expected: &str| {
        let error = prune::prune(&fixture.job(&recipe, &output), &Silent).unwrap_err();
        assert!(error.is_bad_input(), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 1, "{error}");
    };
    let default = Recipe::default;
    refuse(Recipe { method: "obs".into(), ..default() }, "\"obs\"");
    refuse(Recipe { refine: Some("swap".into()), ..default() }, "known: swaps, dsnot");
    refuse(Recipe { allocation: "random".into(), ..default() }, "\"random\"");
    let two_of_four = || "2:4".parse().unwrap();
    let owl = || Recipe { allocation: "owl".into(), ..default() };
    refuse(Recipe { sparsity: two_of_four(), ..owl() }, "--mixed-nm");
    refuse(Recipe { mixed_nm: true, ..owl() }, "--mixed-nm is for N:M");
    refuse(Recipe { mixed_nm: true, sparsity: two_of_four(), ..default() }, "other than uniform");
    refuse(Recipe { sparsity: "0.96".parse().unwrap(), ..owl() }, "above 0.95");
    refuse(Recipe { skip: vec!["lm_head".into()], ..default() }, "lm_head");
    refuse(Recipe { sparsity: "2:7".parse().unwrap(), ..default() }, "7 does not divide");
}
