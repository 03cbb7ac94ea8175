//! Token weights over a whole model.

use std::sync::atomic::AtomicU64;

use compute::Matrix;
use lm::Silent;
use prune::methods::METHODS;
use prune::{Error, InputStatistics, Job, Needs, Propagation, Recipe, TokenWeights};

use crate::fixture::{CancelAfter, Fixture, files, recipe};
use crate::naive::naive;

const BY_ATTENTION: TokenWeights = TokenWeights::Attention { least: 0.1 };
const FIRST: TokenWeights = TokenWeights::First { tokens: 9 };

fn weighted(token_weights: TokenWeights, propagation: Propagation) -> Recipe {
    Recipe { token_weights, ..recipe(propagation) }
}

#[test]
fn they_equal_their_naive_twins() {
    let fixture = Fixture::new();
    for propagation in [Propagation::Staged, Propagation::Reference] {
        let plain = naive(&fixture, propagation, TokenWeights::Uniform);
        for weights in [FIRST, BY_ATTENTION, TokenWeights::Attention { least: 0.0 }] {
            let name = format!("{propagation}-{weights}").replace(':', "-");
            let pruned = fixture.prune(&weighted(weights, propagation), &name);
            let expected = naive(&fixture, propagation, weights);
            assert_ne!(plain, expected, "{weights}");
            for (tensor, expected) in expected {
                assert_eq!(pruned.matrix(&tensor).unwrap(), expected, "{name} {tensor}");
            }
        }
    }
}

#[test]
fn every_method_takes_them_either_way() {
    let fixture = Fixture::new();
    for method in METHODS.iter().filter(|method| method.needs() != Needs::NOTHING) {
        for propagation in [Propagation::Staged, Propagation::Reference] {
            let plain = Recipe { method: method.name().into(), ..recipe(propagation) };
            let dense = fixture.prune(&plain, &format!("{}-{propagation}", method.name()));
            for token_weights in [FIRST, BY_ATTENTION] {
                let recipe = Recipe { token_weights, ..plain.clone() };
                let name = format!("{}-{propagation}-{token_weights}", method.name());
                let pruned = fixture.prune(&recipe, &name.replace(':', "-"));
                let tensor = "model.layers.1.mlp.down_proj.weight";
                assert_ne!(dense.matrix(tensor).unwrap(), pruned.matrix(tensor).unwrap(), "{name}");
            }
        }
    }
}

#[test]
fn neither_memory_nor_threads_nor_a_kill_change_a_byte() {
    let fixture = Fixture::new();
    for propagation in [Propagation::Staged, Propagation::Reference] {
        let recipe = weighted(BY_ATTENTION, propagation);
        let run = |name: &str, memory| {
            let output = fixture.output(&format!("{name}-{propagation}"));
            let job = Job { memory, force: true, ..fixture.job(&recipe, &output) };
            prune::prune(&job, &Silent).map(|_| files(&output))
        };
        let free = run("free", None).unwrap();
        let Err(Error::Model(lm::Error::Memory { needed, .. })) = run("small", Some(1 << 20))
        else {
            panic!("a mebibyte is not enough")
        };
        assert_eq!(free, run("tight", Some(needed)).unwrap());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(free, pool.install(|| run("threads", None)).unwrap());
        let output = fixture.output(&format!("killed-{propagation}"));
        let observer = CancelAfter { left: AtomicU64::new(14) };
        prune::prune(&fixture.job(&recipe, &output), &observer).unwrap_err();
        let other = Recipe { token_weights: FIRST, ..recipe.clone() };
        let job = Job { resume: true, ..fixture.job(&other, &output) };
        let error = prune::prune(&job, &Silent).unwrap_err().to_string();
        assert!(error.contains("token_weights") && error.contains("first:9"), "{error}");
        let job = Job { resume: true, ..fixture.job(&recipe, &output) };
        prune::prune(&job, &Silent).unwrap();
        assert_eq!(free, files(&output));
    }
}

#[test]
fn the_cost_is_noted_and_a_method_without_statistics_refuses() {
    let fixture = Fixture::new();
    let output = fixture.output("out");
    let magnitude =
        Recipe { method: "magnitude".into(), ..weighted(BY_ATTENTION, Propagation::Staged) };
    let error = prune::prune(&fixture.job(&magnitude, &output), &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("attention"), "{error}");
    assert!(!output.exists());
    let refitted = Recipe { refit: true, ..magnitude };
    let pruned = prune::prune(&fixture.job(&refitted, &output), &Silent).unwrap();
    assert!(pruned.notes[0].contains("% more multiplications"), "{:?}", pruned.notes);
    let record = files(&output)["secateur.json"].clone();
    assert!(String::from_utf8(record).unwrap().contains("% more multiplications"));
}

#[test]
fn weighted_statistics_are_the_plain_sums() {
    let stream = compute::Stream::new(4, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 - 0.5;
    let x = Matrix::from_vec(6, 5, (0..30).map(value).collect());
    let weights = [0.5f32, 0.0, 1.0, 2.5, 0.0, 1.5];
    let mut found = InputStatistics::new(5, Needs::EVERYTHING);
    found.add_weighted(x.view(), &weights, 2);
    let sum = |term: &dyn Fn(&[f32]) -> f32| -> f64 {
        (0..6).map(|t| f64::from(weights[t]) * f64::from(term(x.row(t)))).sum()
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6);
    let (sums, gram) = (found.sums.as_ref().unwrap(), found.gram.as_ref().unwrap());
    for i in 0..5 {
        near(found.squared_norms[i], sum(&|x| x[i] * x[i]));
        near(sums[i], sum(&|x| x[i]));
        (0..=i).for_each(|j| near(f64::from(gram.row(i)[j]), sum(&|x| x[i] * x[j])));
    }
    assert_eq!((found.tokens, found.sequences), (5.5, 2));
    let (mut ones, mut plain) = (found.clone(), found);
    ones.add_weighted(x.view(), &[1.0; 6], 1);
    plain.add(x.view(), 1);
    assert_eq!(ones, plain, "weights of one are no weights");
}
