//! What every registered method, refinement and allocation must keep, alone and together.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use compute::Matrix;
use prune::methods::{METHODS, Prepared as _, Target};
use prune::refinements::REFINEMENTS;
use prune::{
    Error, InputStatistics, Mask, Needs, Pattern, Recipe, Scope, allocations, methods, refinements,
};

const OUTPUTS: usize = 24;
const INPUTS: usize = 32;

/// Weights and inputs without structure, the same every time.
fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = compute::Stream::new(seed, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 - 0.5;
    Matrix::from_vec(rows, cols, (0..rows * cols).map(value).collect())
}

fn statistics_of(inputs: &Matrix) -> InputStatistics {
    let mut statistics = InputStatistics::new(inputs.cols(), Needs::EVERYTHING);
    statistics.add(inputs.view(), 4);
    statistics
}

fn statistics(seed: u64) -> InputStatistics {
    statistics_of(&random(100, INPUTS, seed))
}

fn targets() -> Vec<Target> {
    let fractions = [0.0, 0.3, 0.5, 0.97, 0.9999].map(|sparsity| Pattern::Fraction { sparsity });
    let groups = [(2, 4), (4, 8), (1, 4)].map(|(keep, of)| Pattern::NofM { keep, of });
    let patterns = fractions.into_iter().chain(groups);
    patterns
        .flat_map(|pattern| [Scope::Row, Scope::Layer].map(|scope| Target { pattern, scope }))
        .collect()
}

/// Every method, alone and with every refinement, with and without refit.
fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for method in METHODS {
        let refinements = REFINEMENTS.iter().map(|refinement| Some(refinement.name().to_owned()));
        for refine in std::iter::once(None).chain(refinements) {
            for refit in [false, true] {
                let (method, refine) = (method.name().to_owned(), refine.clone());
                recipes.push(Recipe { method, refine, refit, ..Recipe::default() });
            }
        }
    }
    recipes
}

fn expected_zeros(target: Target, rows: usize, cols: usize) -> usize {
    match (target.pattern, target.scope) {
        (Pattern::Fraction { sparsity }, Scope::Row) => rows * (cols as f64 * sparsity) as usize,
        (Pattern::Fraction { sparsity }, Scope::Layer) => {
            ((rows * cols) as f64 * sparsity) as usize
        }
        (Pattern::NofM { keep, of }, _) => rows * cols / of * (of - keep),
    }
}

/// Prunes `dense` by every recipe to every target that fits, and checks what must hold of any result.
fn check_all(dense: &Matrix, statistics: &InputStatistics) {
    for recipe in recipes() {
        let prepared = recipe.steps().unwrap().prepare(statistics).unwrap();
        for target in targets() {
            if target.pattern.check("weight", dense.cols()).is_err() {
                continue;
            }
            let name = format!("{}: {target:?}", recipe.steps().unwrap());
            let pruned = prepared.prune(dense, target).unwrap();
            let (rows, cols) = (dense.rows(), dense.cols());
            assert_eq!(pruned.mask.count(), expected_zeros(target, rows, cols), "{name}");
            let weights = pruned.weights.as_slice();
            assert!(weights.iter().all(|weight| weight.is_finite()), "{name}");
            let mut pairs = weights.iter().zip(pruned.mask.removed());
            assert!(pairs.all(|(weight, removed)| !removed || *weight == 0.0), "{name}");
            if let Pattern::NofM { keep, of } = target.pattern {
                let mut groups = pruned.mask.removed().chunks(of);
                let full =
                    |group: &[bool]| group.iter().filter(|removed| !**removed).count() == keep;
                assert!(groups.all(full), "{name}");
            }
        }
    }
}

#[test]
fn every_target_is_reached_exactly() {
    check_all(&random(OUTPUTS, INPUTS, 2), &statistics(1));
}

#[test]
fn fewer_tokens_than_inputs_serve() {
    check_all(&random(OUTPUTS, INPUTS, 2), &statistics_of(&random(5, INPUTS, 1)));
}

#[test]
fn constant_and_dead_inputs_serve() {
    let mut inputs = random(100, INPUTS, 1);
    for token in 0..100 {
        let row = inputs.row_mut(token);
        (row[3], row[4], row[30]) = (2.0, 0.0, 0.0);
        row[8] = row[7]; // two inputs that are one
    }
    check_all(&random(OUTPUTS, INPUTS, 2), &statistics_of(&inputs));
}

#[test]
fn constant_rows_and_weights_that_are_all_zero_serve() {
    let mut dense = random(OUTPUTS, INPUTS, 2);
    dense.row_mut(0).fill(0.25);
    dense.row_mut(1).fill(0.0);
    (0..OUTPUTS).for_each(|row| dense.row_mut(row)[9] = 0.0);
    check_all(&dense, &statistics(1));
    check_all(&Matrix::zeros(OUTPUTS, INPUTS), &statistics(1));
}

#[test]
fn matrices_of_one_row_or_one_column_serve() {
    check_all(&random(1, INPUTS, 2), &statistics(1));
    check_all(&random(OUTPUTS, 1, 2), &statistics_of(&random(100, 1, 1)));
    check_all(&random(1, 1, 2), &statistics_of(&random(1, 1, 1)));
}

#[test]
fn nothing_changes_at_no_sparsity() {
    let (dense, statistics) = (random(OUTPUTS, INPUTS, 2), statistics(1));
    let target = Target { pattern: Pattern::Fraction { sparsity: 0.0 }, scope: Scope::Layer };
    for recipe in recipes() {
        let prepared = recipe.steps().unwrap().prepare(&statistics).unwrap();
        let pruned = prepared.prune(&dense, target).unwrap().weights;
        for (found, expected) in pruned.as_slice().iter().zip(dense.as_slice()) {
            assert!((found - expected).abs() < 1e-5, "{}", recipe.steps().unwrap());
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let dense = random(300, INPUTS, 2);
    let target = Target { pattern: Pattern::Fraction { sparsity: 0.6 }, scope: Scope::Layer };
    for recipe in recipes() {
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let statistics = statistics(1);
                let prepared = recipe.steps().unwrap().prepare(&statistics).unwrap();
                let weights = prepared.prune(&dense, target).unwrap().weights;
                weights.as_slice().iter().map(|weight| weight.to_bits()).collect::<Vec<_>>()
            })
        };
        assert!(bits(1) == bits(3), "{}", recipe.steps().unwrap());
    }
}

/// `tr((W − Ŵ) G (W − Ŵ)ᵀ)` with a hundredth of the mean diagonal added to G.
fn damped_error(dense: &Matrix, pruned: &Matrix, statistics: &InputStatistics) -> f64 {
    let gram = statistics.symmetric_gram().unwrap();
    let mean = (0..INPUTS).map(|j| f64::from(gram.row(j)[j])).sum::<f64>() / INPUTS as f64;
    let mut error = 0.0;
    for row in 0..dense.rows() {
        let missing = |j: usize| f64::from(dense.row(row)[j]) - f64::from(pruned.row(row)[j]);
        for i in 0..INPUTS {
            let product = |j: usize| f64::from(gram.row(i)[j]) * missing(j);
            let sum = (0..INPUTS).map(product).sum::<f64>() + 0.01 * mean * missing(i);
            error += missing(i) * sum;
        }
    }
    error
}

#[test]
fn refit_and_swaps_never_make_the_error_larger() {
    let (dense, statistics) = (random(OUTPUTS, INPUTS, 2), statistics(1));
    for method in METHODS {
        for target in targets() {
            let error = |refine: Option<&str>, refit: bool| {
                let (method, refine) = (method.name().to_owned(), refine.map(str::to_owned));
                let recipe = Recipe { method, refine, refit, ..Recipe::default() };
                let prepared = recipe.steps().unwrap().prepare(&statistics).unwrap();
                let pruned = prepared.prune(&dense, target).unwrap().weights;
                damped_error(&dense, &pruned, &statistics)
            };
            let plain = error(None, false);
            let [refit, swaps, both] =
                [error(None, true), error(Some("swaps"), false), error(Some("swaps"), true)];
            let name = format!("{} {target:?}: {plain} {refit} {swaps} {both}", method.name());
            let limit = |error: f64| error * (1.0 + 1e-4) + 1e-6;
            assert!(
                refit <= limit(plain) && swaps <= limit(plain) && both <= limit(swaps),
                "{name}"
            );
        }
    }
}

#[test]
fn methods_that_only_mask_keep_the_other_weights() {
    let statistics = statistics(5);
    for name in ["magnitude", "wanda", "ria", "dsnot"] {
        let prepared = methods::find(name).unwrap();
        let prepared = prepared.prepare(&statistics).unwrap();
        let dense = random(OUTPUTS, INPUTS, 6);
        let target = Target { pattern: Pattern::Fraction { sparsity: 0.5 }, scope: Scope::Row };
        let pruned = prepared.prune(&dense, target).unwrap();
        for ((dense, kept), removed) in
            dense.as_slice().iter().zip(pruned.weights.as_slice()).zip(pruned.mask.removed())
        {
            assert_eq!(*kept, if *removed { 0.0 } else { *dense }, "{name}");
        }
    }
}

#[test]
fn the_order_of_the_data_does_not_matter() {
    let tokens = random(64, INPUTS, 7);
    let (mut forward, mut backward) = (
        InputStatistics::new(INPUTS, Needs::EVERYTHING),
        InputStatistics::new(INPUTS, Needs::EVERYTHING),
    );
    forward.add(tokens.view(), 1);
    for row in (0..tokens.rows()).rev() {
        backward.add(tokens.view_rows(row..row + 1), 0);
    }
    // a Gram matrix is summed in f32, in an order that the data gives
    for method in METHODS.iter().filter(|method| !method.needs().gram) {
        for target in targets() {
            let masks = [&forward, &backward].map(|statistics| {
                let prepared = method.prepare(statistics).unwrap();
                prepared.prune(&random(OUTPUTS, INPUTS, 8), target).unwrap().mask
            });
            assert_eq!(masks[0], masks[1], "{} {target:?}", method.name());
        }
    }
}

#[test]
fn every_entry_explains_itself_and_is_found_by_its_name() {
    let methods = METHODS.iter().map(|m| (m.name(), m.summary(), m.explanation()));
    let refinements = REFINEMENTS.iter().map(|r| (r.name(), r.summary(), r.explanation()));
    let allocations = allocations::ALLOCATIONS.iter();
    let allocations = allocations.map(|a| (a.name(), a.summary(), a.explanation()));
    for (name, summary, explanation) in methods.chain(refinements).chain(allocations) {
        let found = [
            methods::find(name).is_ok(),
            refinements::find(name).is_ok(),
            allocations::find(name).is_ok(),
        ];
        assert!(found.contains(&true), "{name}");
        assert!(!summary.is_empty() && !summary.contains('\n'), "{name}");
        for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
            assert!(explanation.contains(heading), "{name} lacks {heading}");
        }
        assert!(explanation.lines().all(|line| line.len() <= 100), "{name}");
    }
    let error = methods::find("wunda").err().unwrap().to_string();
    assert!(error.contains("\"wunda\"") && error.contains("wanda, ria, dsnot, "), "{error}");
}

#[test]
fn dead_inputs_tie() {
    // every input is zero on every token
    let statistics = InputStatistics::new(INPUTS, Needs::EVERYTHING);
    let constant = Matrix::from_vec(OUTPUTS, INPUTS, vec![0.25; OUTPUTS * INPUTS]);
    let target = Target { pattern: Pattern::Fraction { sparsity: 0.5 }, scope: Scope::Row };
    for recipe in recipes() {
        let prepared = recipe.steps().unwrap().prepare(&statistics).unwrap();
        let pruned = prepared.prune(&constant, target).unwrap();
        // all scores tie, so the lower indices go
        let expected = Mask::of_smallest(&constant, target.pattern, Scope::Row);
        assert_eq!(pruned.mask, expected, "{}", recipe.steps().unwrap());
    }
}

#[test]
fn a_gram_that_no_damping_saves_is_refused() {
    let mut indefinite = statistics(1);
    indefinite.gram.as_mut().unwrap().row_mut(20)[10] = 1e30;
    let mut broken = statistics(1);
    broken.gram.as_mut().unwrap().row_mut(20)[10] = f32::NAN;
    for recipe in recipes() {
        let steps = recipe.steps().unwrap();
        if !steps.needs().gram {
            continue;
        }
        let error = steps.prepare(&broken).err().unwrap();
        assert!(matches!(error, Error::Gram { .. } | Error::Singular { .. }), "{steps}: {error}");
        if recipe.method().unwrap().needs().gram {
            let error = steps.prepare(&indefinite).err().unwrap();
            assert!(matches!(error, Error::Singular { .. }), "{steps}: {error}");
        }
    }
}
