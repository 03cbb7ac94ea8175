//! Models and data that a sweep cannot use.

use half::bf16;
use lm::{Silent, Site};
use prune::{Error, Propagation, Recipe, TokenWeights};

use crate::fixture::{Fixture, recipe};

/// Weights that are finite, and products that are not.
#[test]
fn activations_that_are_not_finite_are_named_by_block_and_site() {
    let fixture = Fixture::with_constant("model.layers.1.mlp.up_proj.weight", bf16::MAX);
    for method in ["wanda", "dsnot", "sparsegpt", "alps"] {
        for propagation in [Propagation::Staged, Propagation::Reference] {
            for token_weights in [TokenWeights::Uniform, TokenWeights::Attention { least: 0.1 }] {
                let method = method.to_owned();
                let recipe = Recipe { method, token_weights, ..recipe(propagation) };
                let output = fixture.output("out");
                let job = prune::Job { force: true, ..fixture.job(&recipe, &output) };
                let error = prune::prune(&job, &Silent).unwrap_err();
                let Error::Activations { block: 1, site: Site::MlpOutput, .. } = error else {
                    panic!("{} {propagation}: {error}", recipe.method);
                };
                assert!(error.to_string().contains("inspect --check"), "{error}");
                assert!(!output.exists());
            }
        }
    }
}

#[test]
fn attention_that_is_not_finite_is_named_by_block_and_site() {
    let fixture = Fixture::with_constant("model.layers.2.self_attn.q_proj.weight", bf16::MAX);
    let token_weights = TokenWeights::Attention { least: 0.1 };
    let recipe = Recipe { token_weights, ..recipe(Propagation::Staged) };
    let output = fixture.output("out");
    let error = prune::prune(&fixture.job(&recipe, &output), &Silent).unwrap_err();
    let named = matches!(error, Error::Activations { block: 2, site: Site::AttentionInput, .. });
    assert!(named && !output.exists(), "{error}");
}

#[test]
fn weights_that_are_all_equal_or_zero_are_pruned_exactly() {
    for value in [bf16::ZERO, bf16::from_f32(0.125)] {
        let fixture = Fixture::with_constant("model.layers.1.mlp.down_proj.weight", value);
        for method in ["magnitude", "wanda", "ria", "dsnot", "sparsegpt", "admm", "alps"] {
            for sparsity in ["0.999", "2:4"] {
                let sparsity = sparsity.parse().unwrap();
                let recipe = Recipe { method: method.into(), sparsity, ..Recipe::default() };
                let output = fixture.output("out");
                let job = prune::Job { force: true, ..fixture.job(&recipe, &output) };
                let pruned = prune::prune(&job, &Silent).unwrap();
                let report = pruned.blocks[1].linears.last().unwrap();
                let all_zero = value == bf16::ZERO;
                let expected = if all_zero { 1.0 } else { sparsity.sparsity() };
                let error = (report.sparsity.share() - expected).abs();
                assert!(error < 0.05, "{method} {sparsity}: {report:?}");
            }
        }
    }
}
