//! Allocations over a whole model.

use std::sync::atomic::AtomicU64;

use half::bf16;
use lm::{Silent, scoring};
use prune::{Error, Job, Recipe};

use crate::fixture::{BLOCKS, CancelAfter, Fixture, files};

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
            let pruned =
                prune::prune(&fixture.job_with_held_out(&recipe, &output), &Silent).unwrap();
            let shares = pruned.blocks.iter().map(|b| b.linears[0].target.unwrap().sparsity());
            let shares: Vec<f64> = shares.collect();
            let tolerance = if mixed_nm { 1.0 / 16.0 / BLOCKS as f64 } else { 1e-9 };
            let mean = shares.iter().sum::<f64>() / BLOCKS as f64;
            assert!((mean - recipe.sparsity.sparsity()).abs() <= tolerance + 1e-9, "{name}");
            let differ = shares.iter().any(|share| (share - shares[0]).abs() > 1e-3);
            // in so few blocks depth rises by less than one weight of eight
            let even = name == "uniform" || (name == "depth" && mixed_nm);
            assert!(name == "auto" || differ != even, "{name} {shares:?}");
            let most = if mixed_nm { 0.05 } else { 2e-3 };
            assert!((pruned.sparsity.share() - recipe.sparsity.sparsity()).abs() < most, "{name}");
        }
    }
}

fn auto(method: &str) -> Recipe {
    let (method, allocation) = (method.into(), "auto".into());
    Recipe { method, allocation, sparsity: "0.6".parse().unwrap(), ..Recipe::default() }
}

#[test]
fn auto_takes_the_allocation_nearest_to_the_dense_model() {
    let fixture = Fixture::new();
    let recipe = auto("wanda");
    let output = fixture.output("auto");
    let pruned = prune::prune(&fixture.job_with_held_out(&recipe, &output), &Silent).unwrap();
    let mut best: Option<(f64, String)> = None;
    for (name, trial) in ["uniform", "owl", "alpha", "depth", "error"].iter().zip(&pruned.trials) {
        assert_eq!(trial.allocation, *name);
        let alone = Recipe { allocation: (*name).into(), ..recipe.clone() };
        let model = fixture.prune(&alone, name);
        let sequences: Vec<&[u32]> = fixture.held_out.sequences.iter().map(Vec::as_slice).collect();
        let options = scoring::Options::default();
        let found =
            scoring::token_divergences(&fixture.model, &model, &sequences, &options, &Silent);
        let found: Vec<f64> = found.unwrap().iter().flatten().map(|token| token.kl).collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!((trial.divergence.unwrap() - mean).abs() < 1e-12, "{trial:?} {mean}");
        if best.as_ref().is_none_or(|(least, _)| mean < *least) {
            best = Some((mean, (*name).to_owned()));
        }
    }
    assert_eq!(pruned.trials.len(), 5);
    let expected = fixture.output(&best.unwrap().1);
    let weights = |folder| files(folder)["model.safetensors"].clone();
    assert_eq!(weights(&output), weights(&expected));
    let names: Vec<String> = files(&output).into_keys().collect();
    assert!(names.iter().all(|name| !name.contains("trial")), "{names:?}");
    assert!(String::from_utf8(files(&output)["secateur.json"].clone()).unwrap().contains("trials"));
}

#[test]
fn a_killed_auto_goes_on_with_the_trials_it_has() {
    let fixture = Fixture::new();
    let recipe = auto("magnitude");
    let whole = fixture.output("whole");
    prune::prune(&fixture.job_with_held_out(&recipe, &whole), &Silent).unwrap();
    let broken = fixture.output("broken");
    let mut left = 10;
    loop {
        let observer = CancelAfter { left: AtomicU64::new(left) };
        let job = Job { resume: true, ..fixture.job_with_held_out(&recipe, &broken) };
        match prune::prune(&job, &observer) {
            Ok(_) => break,
            Err(Error::Model(lm::Error::Cancelled)) => assert!(!broken.exists()),
            Err(error) => panic!("{error}"),
        }
        left += 20;
    }
    assert!(left > 30, "it was cancelled at least once");
    assert_eq!(files(&whole), files(&broken));
}

#[test]
fn auto_needs_held_out_data() {
    let fixture = Fixture::new();
    let recipe = auto("wanda");
    let output = fixture.output("out");
    let error = prune::prune(&fixture.job(&recipe, &output), &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("held-out"), "{error}");
    assert!(!output.exists());
}

#[test]
fn what_cannot_be_tried_is_said() {
    // of weights that are all zero the singular values say nothing
    let fixture = Fixture::with_constant("model.layers.1.self_attn.k_proj.weight", bf16::ZERO);
    let recipe = auto("wanda");
    let output = fixture.output("out");
    let pruned = prune::prune(&fixture.job_with_held_out(&recipe, &output), &Silent).unwrap();
    let alpha = pruned.trials.iter().find(|trial| trial.allocation == "alpha").unwrap();
    assert!(alpha.divergence.is_none(), "{alpha:?}");
    assert!(alpha.problem.as_ref().unwrap().contains("layers.1.self_attn.k_proj"), "{alpha:?}");
    let others = pruned.trials.iter().filter(|trial| trial.allocation != "alpha");
    assert_eq!(others.filter(|trial| trial.divergence.is_some()).count(), 4);
}
