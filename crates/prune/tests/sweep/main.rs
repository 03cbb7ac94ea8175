//! The sweep as a whole, on a tiny random model.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

mod allocations;
mod bad_input;
mod fixture;
mod naive;
mod token_weights;

use std::sync::atomic::AtomicU64;

use lm::Silent;
use prune::{Error, Job, Pattern, Propagation, Recipe, TokenWeights};

use fixture::{BLOCKS, CancelAfter, Fixture, files, recipe};
use naive::naive;

#[test]
fn both_propagations_equal_their_naive_twins() {
    let fixture = Fixture::new();
    for propagation in [Propagation::Staged, Propagation::Reference] {
        let pruned = fixture.prune(&recipe(propagation), &propagation.to_string());
        for (name, expected) in naive(&fixture, propagation, TokenWeights::Uniform) {
            assert_eq!(pruned.matrix(&name).unwrap(), expected, "{propagation} {name}");
        }
    }
}

#[test]
fn the_propagations_differ_after_the_first_stage_only() {
    let fixture = Fixture::new();
    let staged = naive(&fixture, Propagation::Staged, TokenWeights::Uniform);
    let reference = naive(&fixture, Propagation::Reference, TokenWeights::Uniform);
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
