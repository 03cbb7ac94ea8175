//! SparseGPT against the optimal brain surgeon written out: an explicit inverse for every column.
#![allow(clippy::unwrap_used, clippy::needless_range_loop)] // tests; indices are the mathematics

use compute::{Matrix, Stream};
use prune::methods::{self, Target};
use prune::{InputStatistics, Needs, Pattern, Scope};

const ROWS: usize = 6;
const INPUTS: usize = 24;
const TOKENS: usize = 60;

fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = Stream::new(seed, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 - 0.5;
    Matrix::from_vec(rows, cols, (0..rows * cols).map(value).collect())
}

/// Gauss–Jordan.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    let mut b: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for k in 0..n {
        let pivot = a[k][k];
        for j in 0..n {
            a[k][j] /= pivot;
            b[k][j] /= pivot;
        }
        for i in (0..n).filter(|i| *i != k) {
            let factor = a[i][k];
            for j in 0..n {
                a[i][j] -= factor * a[k][j];
                b[i][j] -= factor * b[k][j];
            }
        }
    }
    b
}

/// 2·XᵀX / sequences + 0.01 · mean diagonal · I.
fn damped(inputs: &Matrix, sequences: f64) -> Vec<Vec<f64>> {
    let product = |i: usize, j: usize| {
        let of = |t: usize| f64::from(inputs.row(t)[i]) * f64::from(inputs.row(t)[j]);
        2.0 * (0..inputs.rows()).map(of).sum::<f64>() / sequences
    };
    let mut h: Vec<Vec<f64>> =
        (0..INPUTS).map(|i| (0..INPUTS).map(|j| product(i, j)).collect()).collect();
    let mean = (0..INPUTS).map(|i| h[i][i]).sum::<f64>() / INPUTS as f64;
    (0..INPUTS).for_each(|i| h[i][i] += 0.01 * mean);
    h
}

/// Removes, column by column, with the inverse of what is left of H computed anew each time.
fn naive(dense: &Matrix, h: &[Vec<f64>], pattern: Pattern) -> Vec<Vec<f64>> {
    let mut w: Vec<Vec<f64>> =
        (0..ROWS).map(|r| dense.row(r).iter().map(|v| f64::from(*v)).collect()).collect();
    let left = |j: usize| inverse((j..INPUTS).map(|i| h[i][j..].to_vec()).collect::<Vec<_>>());
    let diagonal: Vec<f64> = (0..INPUTS).map(|j| left(j)[0][0]).collect();
    let smallest = |scores: Vec<(f64, usize, usize)>, count: usize, removed: &mut [Vec<bool>]| {
        let mut scores = scores;
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        scores[..count].iter().for_each(|(_, row, column)| removed[*row][*column] = true);
    };
    let mut removed = vec![vec![false; INPUTS]; ROWS];
    if let Pattern::Fraction { sparsity } = pattern {
        let score = |(r, j): (usize, usize)| (w[r][j] * w[r][j] / diagonal[j], r, j);
        let all = (0..ROWS).flat_map(|r| (0..INPUTS).map(move |j| (r, j))).map(score).collect();
        smallest(all, ((ROWS * INPUTS) as f64 * sparsity) as usize, &mut removed);
    }
    for j in 0..INPUTS {
        if let Pattern::NofM { keep, of } = pattern
            && j % of == 0
        {
            for r in 0..ROWS {
                let score = |c: usize| (w[r][c] * w[r][c] / diagonal[c], r, c);
                smallest((j..j + of).map(score).collect(), of - keep, &mut removed);
            }
        }
        let inverse = left(j);
        for r in (0..ROWS).filter(|r| removed[*r][j]) {
            let error = w[r][j] / inverse[0][0];
            for c in j..INPUTS {
                w[r][c] -= error * inverse[0][c - j];
            }
            w[r][j] = 0.0;
        }
    }
    w
}

#[test]
fn it_is_the_optimal_brain_surgeon_column_by_column() {
    let (dense, inputs) = (random(ROWS, INPUTS, 1), random(TOKENS, INPUTS, 2));
    let mut statistics = InputStatistics::new(INPUTS, Needs::GRAM);
    statistics.add(inputs.view(), 3);
    let prepared = methods::find("sparsegpt").unwrap().prepare(&statistics).unwrap();
    assert!(prepared.notes().is_empty());
    let h = damped(&inputs, 3.0);
    for pattern in ["0.3", "0.5", "0.8", "2:4", "1:4", "4:8", "1:3"] {
        let pattern: Pattern = pattern.parse().unwrap();
        let target = Target { pattern, scope: Scope::Layer };
        let found = prepared.prune(&dense, target).unwrap().weights;
        let expected = naive(&dense, &h, pattern);
        for r in 0..ROWS {
            for j in 0..INPUTS {
                let (found, expected) = (f64::from(found.row(r)[j]), expected[r][j]);
                assert!((found - expected).abs() < 1e-3, "{pattern} {r} {j}: {found} {expected}");
            }
        }
    }
}

#[test]
fn inputs_that_are_always_zero_give_up_their_weights() {
    let mut inputs = random(TOKENS, INPUTS, 2);
    (0..TOKENS).for_each(|t| inputs.row_mut(t)[5] = 0.0);
    let mut statistics = InputStatistics::new(INPUTS, Needs::GRAM);
    statistics.add(inputs.view(), 1);
    let prepared = methods::find("sparsegpt").unwrap().prepare(&statistics).unwrap();
    let target = Target { pattern: "0.5".parse().unwrap(), scope: Scope::Row };
    let pruned = prepared.prune(&random(ROWS, INPUTS, 1), target).unwrap().weights;
    assert!((0..ROWS).all(|r| pruned.row(r)[5] == 0.0));
    assert!(pruned.as_slice().iter().all(|weight| weight.is_finite()));
}

#[test]
fn fewer_tokens_than_inputs_are_enough_and_broken_statistics_are_refused() {
    let mut few = InputStatistics::new(INPUTS, Needs::GRAM);
    few.add(random(5, INPUTS, 2).view(), 1);
    let method = methods::find("sparsegpt").unwrap();
    let target = Target { pattern: "2:4".parse().unwrap(), scope: Scope::Layer };
    let pruned = method.prepare(&few).unwrap().prune(&random(ROWS, INPUTS, 1), target).unwrap();
    assert!(pruned.weights.as_slice().iter().all(|weight| weight.is_finite()));
    let mut broken = few.clone();
    broken.gram.as_mut().unwrap().row_mut(3)[1] = f32::NAN;
    let refusal = method.prepare(&broken).err().unwrap().to_string();
    assert!(refusal.contains("damping of 100"), "{refusal}");
}
