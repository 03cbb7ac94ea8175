//! Prunes the model in the box through the library and prints what was lost.
//!
//! `cargo run --release --example prune_demo -- OUT`

use std::path::PathBuf;

use calib::{Recipe, Workspace};
use compute::Precision;
use lm::{Checkpoint, Model, Silent, scoring};

fn main() -> anyhow::Result<()> {
    let output: PathBuf = std::env::args_os().nth(1).expect("the folder to write").into();
    let dense = Model::new(demo::checkpoint()?, Precision::Bf16)?;
    let workspace = Workspace { model: &dense, cache: None, memory: None, hub: None, server: None };
    let own = Recipe { samples: Some(16), length: Some(128), ..Recipe::of("self") };
    let calibration = calib::collect(&own, &workspace, &Silent)?;
    let recipe = prune::Recipe { sparsity: "2:4".parse()?, ..prune::Recipe::default() };
    let job = prune::Job::new(&dense, Some(&calibration), &recipe, &output);
    let pruned = prune::prune(&job, &Silent)?;
    let model = Model::new(Checkpoint::open(&output)?, Precision::Bf16)?;
    let held_out = calib::collect(&Recipe { seed: 1, ..own }, &workspace, &Silent)?;
    let texts: Vec<&[u32]> = held_out.sequences.iter().map(Vec::as_slice).collect();
    let lost = eval::divergence(&dense, &model, &texts, &scoring::Options::default(), &Silent)?;
    println!("{:.1} % zeros, {:.3} nats a token", 100.0 * pruned.sparsity.share(), lost.mean_kl);
    Ok(())
}
