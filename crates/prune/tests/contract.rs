//! What every registered method and allocation must keep.

use compute::Matrix;
use prune::methods::{METHODS, Target};
use prune::{InputStatistics, Mask, Needs, Pattern, Scope, allocations, methods};

const OUTPUTS: usize = 24;
const INPUTS: usize = 32;

/// Weights and inputs without structure, the same every time.
fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = compute::Stream::new(seed, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 - 0.5;
    Matrix::from_vec(rows, cols, (0..rows * cols).map(value).collect())
}

fn statistics(seed: u64) -> InputStatistics {
    let mut statistics = InputStatistics::new(INPUTS, Needs::Gram);
    statistics.add(random(100, INPUTS, seed).view(), 4);
    statistics
}

fn targets() -> Vec<Target> {
    let fractions = [0.0, 0.3, 0.5, 0.97].map(|sparsity| Pattern::Fraction { sparsity });
    let groups = [(2, 4), (4, 8), (1, 4)].map(|(keep, of)| Pattern::NofM { keep, of });
    let patterns = fractions.into_iter().chain(groups);
    patterns
        .flat_map(|pattern| [Scope::Row, Scope::Layer].map(|scope| Target { pattern, scope }))
        .collect()
}

fn expected_zeros(target: Target) -> usize {
    match (target.pattern, target.scope) {
        (Pattern::Fraction { sparsity }, Scope::Row) => {
            OUTPUTS * (INPUTS as f64 * sparsity) as usize
        }
        (Pattern::Fraction { sparsity }, Scope::Layer) => {
            ((OUTPUTS * INPUTS) as f64 * sparsity) as usize
        }
        (Pattern::NofM { keep, of }, _) => OUTPUTS * INPUTS / of * (of - keep),
    }
}

#[test]
fn every_method_reaches_every_target_exactly() {
    let statistics = statistics(1);
    for method in METHODS {
        let prepared = method.prepare(&statistics).unwrap();
        for target in targets() {
            let pruned = prepared.prune(random(OUTPUTS, INPUTS, 2), target).unwrap();
            let removed = pruned.mask.removed().iter().filter(|removed| **removed).count();
            assert_eq!(removed, expected_zeros(target), "{} {target:?}", method.name());
            let zeros = pruned.weights.as_slice().iter().zip(pruned.mask.removed());
            assert!(zeros.clone().all(|(weight, removed)| !removed || *weight == 0.0));
        }
    }
}

#[test]
fn every_method_keeps_its_groups_valid() {
    let statistics = statistics(3);
    for method in METHODS {
        let prepared = method.prepare(&statistics).unwrap();
        let target = Target { pattern: Pattern::NofM { keep: 2, of: 4 }, scope: Scope::Row };
        let pruned = prepared.prune(random(OUTPUTS, INPUTS, 4), target).unwrap();
        for group in pruned.weights.as_slice().chunks(4) {
            assert!(
                group.iter().filter(|weight| **weight != 0.0).count() <= 2,
                "{}",
                method.name()
            );
        }
    }
}

#[test]
fn methods_that_only_mask_keep_the_other_weights() {
    let statistics = statistics(5);
    for name in ["magnitude", "wanda"] {
        let prepared = methods::find(name).unwrap();
        let prepared = prepared.prepare(&statistics).unwrap();
        let dense = random(OUTPUTS, INPUTS, 6);
        let target = Target { pattern: Pattern::Fraction { sparsity: 0.5 }, scope: Scope::Row };
        let pruned = prepared.prune(dense.clone(), target).unwrap();
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
    let (mut forward, mut backward) =
        (InputStatistics::new(INPUTS, Needs::Gram), InputStatistics::new(INPUTS, Needs::Gram));
    forward.add(tokens.view(), 1);
    for row in (0..tokens.rows()).rev() {
        backward.add(tokens.view_rows(row..row + 1), 0);
    }
    // a Gram matrix is summed in f32, in an order that the data gives
    for method in METHODS.iter().filter(|method| method.needs() < Needs::Gram) {
        for target in targets() {
            let masks = [&forward, &backward].map(|statistics| {
                let prepared = method.prepare(statistics).unwrap();
                prepared.prune(random(OUTPUTS, INPUTS, 8), target).unwrap().mask
            });
            assert_eq!(masks[0], masks[1], "{} {target:?}", method.name());
        }
    }
}

#[test]
fn every_entry_explains_itself_and_is_found_by_its_name() {
    let methods = METHODS.iter().map(|m| (m.name(), m.summary(), m.explanation()));
    let allocations = allocations::ALLOCATIONS.iter();
    let allocations = allocations.map(|a| (a.name(), a.summary(), a.explanation()));
    for (name, summary, explanation) in methods.chain(allocations) {
        assert!(methods::find(name).is_ok() || allocations::find(name).is_ok(), "{name}");
        assert!(!summary.is_empty() && !summary.contains('\n'), "{name}");
        for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
            assert!(explanation.contains(heading), "{name} lacks {heading}");
        }
        assert!(explanation.lines().all(|line| line.len() <= 100), "{name}");
    }
    let error = methods::find("wunda").err().unwrap().to_string();
    assert!(
        error.contains("\"wunda\"") && error.contains("wanda, sparsegpt, magnitude"),
        "{error}"
    );
}

#[test]
fn every_allocation_meets_the_target() {
    for allocation in allocations::ALLOCATIONS {
        for target in [Pattern::Fraction { sparsity: 0.6 }, Pattern::NofM { keep: 2, of: 4 }] {
            let shares = allocation.allocate(7, target).unwrap();
            let mean = shares.iter().map(Pattern::sparsity).sum::<f64>() / 7.0;
            assert!((mean - target.sparsity()).abs() < 1e-9, "{}", allocation.name());
        }
    }
}

#[test]
fn dead_inputs_and_constant_rows_are_pruned_like_others() {
    let statistics = InputStatistics::new(INPUTS, Needs::Gram); // every input is zero on every token
    for method in METHODS.iter().filter(|method| method.needs() != Needs::Nothing) {
        let prepared = method.prepare(&statistics).unwrap();
        let constant = Matrix::from_vec(OUTPUTS, INPUTS, vec![0.25; OUTPUTS * INPUTS]);
        let target = Target { pattern: Pattern::Fraction { sparsity: 0.5 }, scope: Scope::Row };
        let pruned = prepared.prune(constant, target).unwrap();
        // all scores tie, so the lower indices go
        let expected =
            Mask::of_smallest(&Matrix::zeros(OUTPUTS, INPUTS), target.pattern, Scope::Row);
        assert_eq!(pruned.mask, expected, "{}", method.name());
    }
}
