//! Wanda over a whole model, written out plainly.

use std::collections::BTreeMap;

use compute::{Linear, Matrix};
use lm::{Batch, Frame};
use prune::methods::{self, Target};
use prune::{InputStatistics, Needs, Pattern, Propagation, Scope, TokenWeights};

use crate::fixture::Fixture;

/// The weights that Wanda leaves at 50 %: the inputs of every linear are recorded from full forward
/// passes, and the model is run again after each change.
pub(crate) fn naive(
    fixture: &Fixture,
    propagation: Propagation,
    weights: TokenWeights,
) -> BTreeMap<String, Matrix> {
    let model = &fixture.model;
    let sequences = &fixture.calibration.sequences;
    let mut residuals: Vec<Matrix> =
        sequences.iter().map(|sequence| model.embed(sequence).unwrap()).collect();
    let mut pruned = BTreeMap::new();
    for (index, spec) in model.spec().blocks.iter().enumerate() {
        let frame = model.frame(index).unwrap();
        let mut linears = model.block(index).unwrap().stages().to_vec();
        let dense = linears.clone();
        for (number, stage) in spec.stages.iter().enumerate() {
            let used = if propagation == Propagation::Staged { &linears } else { &dense };
            let mut squares = vec![0.0; stage.linears[0].inputs];
            for residual in &residuals {
                let mut state = frame.begin(residual.clone());
                let weights = token_weights(weights, &frame, &dense[0], &state.input.to_matrix());
                for linears in &used[..number] {
                    state = frame.step(state, linears, &mut Batch::fresh(&[residual.rows()]));
                }
                let input = state.input.to_matrix();
                for (row, weight) in weights.iter().enumerate() {
                    let values = input.row(row).iter().map(|x| f64::from(*x).powi(2));
                    squares.iter_mut().zip(values).for_each(|(sum, x)| *sum += weight * x);
                }
            }
            let empty = InputStatistics::new(squares.len(), Needs::SQUARED_NORMS);
            let statistics = InputStatistics { squared_norms: squares, ..empty };
            let prepared = methods::find("wanda").unwrap().prepare(&statistics).unwrap();
            for (position, linear) in stage.linears.iter().enumerate() {
                let pattern = Pattern::Fraction { sparsity: 0.5 };
                let target = Target { pattern, scope: Scope::Row };
                let matrix = model.matrix(&linear.tensor).unwrap();
                let weights = prepared.prune(&matrix, target).unwrap().weights;
                linears[number][position] = Linear::new(weights.clone(), None, model.precision());
                pruned.insert(linear.tensor.clone(), weights);
            }
        }
        for residual in &mut residuals {
            let mut state = frame.begin(residual.clone());
            for linears in &linears {
                state = frame.step(state, linears, &mut Batch::fresh(&[residual.rows()]));
            }
            *residual = state.residual;
        }
    }
    pruned
}

/// The weight of every token of one sequence, from the input of the block's attention and its dense
/// linears.
fn token_weights(
    weights: TokenWeights,
    frame: &Frame,
    linears: &[Linear],
    input: &Matrix,
) -> Vec<f64> {
    let tokens = input.rows();
    match weights {
        TokenWeights::Uniform => vec![1.0; tokens],
        TokenWeights::First { tokens: first } => {
            (0..tokens).map(|token| f64::from(u8::from(token < first))).collect()
        }
        TokenWeights::Attention { least } => {
            let received = attention_received(frame, linears, input);
            let others = &received[1..];
            let lowest = others.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = others.iter().copied().fold(0.0, f64::max);
            if others.len() < 2 || lowest == largest {
                return vec![1.0; tokens];
            }
            let scaled = |x: &f64| least + (1.0 - least) * (x - lowest) / (largest - lowest);
            let mut weights: Vec<f64> = received.iter().map(scaled).collect();
            weights[0] = least;
            let mean = weights.iter().sum::<f64>() / tokens as f64;
            weights.iter().map(|weight| weight / mean).collect()
        }
    }
}

/// The sums over heads and queries of whole matrices of probabilities.
fn attention_received(frame: &Frame, linears: &[Linear], input: &Matrix) -> Vec<f64> {
    let shape = frame.spec().attention;
    let rope = frame.spec().rope.rope(shape.head_dim);
    let positions: Vec<usize> = (0..input.rows()).collect();
    let rotated = |linear: &Linear| {
        let mut rotated = linear.apply(input.view());
        rope.rotate(&mut rotated, &positions, compute::Precision::Bf16);
        rotated
    };
    let (q, k) = (rotated(&linears[0]), rotated(&linears[1]));
    let mut received = vec![0.0; input.rows()];
    for head in 0..shape.heads {
        let kv_head = head / (shape.heads / shape.kv_heads);
        for query in 0..input.rows() {
            let left = &q.row(query)[head * shape.head_dim..][..shape.head_dim];
            let score = |key: usize| {
                let right = &k.row(key)[kv_head * shape.head_dim..][..shape.head_dim];
                let pairs = left.iter().zip(right);
                let dot: f64 = pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                (dot * f64::from(shape.scale)).exp()
            };
            let scores: Vec<f64> = (0..=query).map(score).collect();
            let total: f64 = scores.iter().sum();
            scores.iter().enumerate().for_each(|(key, score)| received[key] += score / total);
        }
    }
    received
}
