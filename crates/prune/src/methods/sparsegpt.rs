//! SparseGPT: pruning column by column, the rest of each row making up for it.

use std::ops::Range;

use compute::Matrix;
use rayon::prelude::*;

use super::{Method, Prepared, PrunedLinear, Room, Target, damping};
use crate::{InputStatistics, Mask, Needs, Pattern, Result, Scope};

/// Columns whose masks are chosen together and whose errors are passed on together.
const BLOCK: usize = 128;

/// What is added to the diagonal, in units of its mean; ten times more after each failure.
const DAMPING: f32 = 0.01;

/// Removes weights column by column and lets the later weights of each row make up for the error.
pub(super) struct SparseGpt;

impl Method for SparseGpt {
    fn name(&self) -> &'static str {
        "sparsegpt"
    }

    fn summary(&self) -> &'static str {
        "removes weights column by column, the rest makes up for it; one forward pass and a Gram"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Goes through the inputs from left to right. With H the Gram matrix of the inputs and R the
  upper triangular factor of its inverse (R'R = inverse of H), it removes the weights with the
  smallest W_ij^2 / R_jj^2 among each 128 columns and changes the weights to the right of each
  removed one so that the outputs stay as close as they can.

When to use it
  Above 50 %, and for N:M patterns, where the kept weights have to make up for what goes.

Parameters
  --scope layer (default): all rows compete within each 128 columns. --scope row: each row gives
  up the same number there. N:M patterns choose within each group of M inputs, on weights that
  have already changed.

Cost
  One forward pass, the Gram matrix of each site (inputs^2 x 4 bytes), one factorisation for the
  linears that share it (2/3 inputs^3), and outputs x inputs^2 operations for each linear.
  Damping is 0.01 of the mean diagonal; it is raised tenfold, and said so in the report, where
  that is too little.

Reference
  Frantar and Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot,
  ICML 2023, algorithm 1."
    }

    fn needs(&self) -> Needs {
        Needs::GRAM
    }

    fn default_scope(&self) -> Scope {
        Scope::Layer
    }

    fn room(&self) -> Room {
        // the damped copy, its factor, the factor's inverse and that turned around; the errors
        Room { site_matrices: 4, linear_matrices: 1 }
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        let gram = inputs.gram.as_ref().expect("the method asks for it");
        let (h, dead) = curvature(gram, inputs.sequences);
        let n = h.rows();
        let mean = (0..n).map(|j| f64::from(h.row(j)[j])).sum::<f64>() / n.max(1) as f64;
        let factorise = |damping: f32| compute::inverse_factor(&h, damping * mean as f32);
        let (factor, damping) = damping::raised(DAMPING, factorise)?;
        Ok(Box::new(Columns { factor, dead, damping }))
    }
}

/// `H = 2·G / sequences`, `[in, in]` (lower triangle), with ones on the diagonal of inputs that are
/// always zero, and which those are.
fn curvature(gram: &Matrix, sequences: u64) -> (Matrix, Vec<bool>) {
    let scale = 2.0 / sequences.max(1) as f32;
    let mut h = gram.clone();
    h.as_mut_slice().iter_mut().for_each(|value| *value *= scale);
    let dead: Vec<bool> = (0..h.rows()).map(|j| h.row(j)[j] == 0.0).collect();
    for (j, _) in dead.iter().enumerate().filter(|(_, dead)| **dead) {
        h.row_mut(j)[j] = 1.0;
    }
    (h, dead)
}

/// What the linears of a site share.
struct Columns {
    /// R, `[in, in]`, upper triangular.
    factor: Matrix,
    /// Inputs that are zero on every token.
    dead: Vec<bool>,
    /// What was added to the diagonal, in units of its mean.
    damping: f32,
}

impl Prepared for Columns {
    fn notes(&self) -> Vec<String> {
        damping::notes(DAMPING, self.damping)
    }

    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        let mut weights = dense.clone();
        let (rows, cols) = (weights.rows(), weights.cols());
        for row in weights.as_mut_slice().chunks_mut(cols.max(1)) {
            let values = row.iter_mut().zip(&self.dead);
            values.filter(|(_, dead)| **dead).for_each(|(weight, _)| *weight = 0.0);
        }
        let mut removed = vec![false; rows * cols];
        let width = block_width(target.pattern);
        for start in (0..cols).step_by(width) {
            let columns = start..cols.min(start + width);
            self.choose(&weights, columns.clone(), target, &mut removed);
            let errors = self.remove(&mut weights, columns.clone(), target, &mut removed);
            compute::subtract_product(&mut weights, columns.end, &errors, &self.factor, columns);
        }
        Ok(PrunedLinear { mask: Mask::new(rows, cols, removed), weights })
    }
}

/// Weights of a group of `rows` rows that are removed from the columns before `column`, of `cols`.
///
/// Where rows compete, each block of columns gives up one weight more than its share until the last
/// gives them back: the authors' threshold takes its own weight too, and what goes early changes
/// everything after it, so only this way the results are theirs and the total is exact.
fn removed_until(column: usize, cols: usize, rows: usize, sparsity: f64) -> usize {
    let share = |columns: usize| ((rows * columns) as f64 * sparsity) as usize;
    let early = if rows > 1 { column.div_ceil(BLOCK) } else { 0 };
    if column == cols { share(cols) } else { share(cols).min(share(column) + early) }
}

/// Columns that are dealt with together: whole groups of an N:M pattern.
fn block_width(pattern: Pattern) -> usize {
    match pattern {
        Pattern::Fraction { .. } => BLOCK,
        Pattern::NofM { of, .. } => (BLOCK / of).max(1) * of,
    }
}

impl Columns {
    /// W_ij² / R_jj² of `weights`, the part of a row that begins at column `start`.
    fn scores(&self, weights: &[f32], start: usize) -> Vec<f32> {
        let score = |(offset, weight): (usize, &f32)| {
            let scaled = weight / self.factor.row(start + offset)[start + offset];
            scaled * scaled
        };
        weights.iter().enumerate().map(score).collect()
    }

    /// Marks what a fraction removes within `columns`, so that all columns together reach it exactly.
    fn choose(
        &self,
        weights: &Matrix,
        columns: Range<usize>,
        target: Target,
        removed: &mut [bool],
    ) {
        let Pattern::Fraction { sparsity } = target.pattern else { return };
        let (rows, cols) = (weights.rows(), weights.cols());
        let part = |row: usize| self.scores(&weights.row(row)[columns.clone()], columns.start);
        let scores: Vec<f32> = (0..rows).into_par_iter().flat_map_iter(part).collect();
        let group = if target.scope == Scope::Row { 1 } else { rows };
        let until = |column: usize| removed_until(column, cols, group, sparsity);
        let count = until(columns.end) - until(columns.start);
        let mut chosen = vec![false; scores.len()];
        let size = (group * columns.len()).max(1);
        let groups = chosen.par_chunks_mut(size).zip(scores.par_chunks(size));
        groups.for_each(|(chosen, scores)| compute::mark_smallest(scores, count, chosen));
        for (row, chosen) in chosen.chunks(columns.len()).enumerate() {
            removed[row * cols..][columns.clone()].copy_from_slice(chosen);
        }
    }

    /// Removes what is marked in `columns`, group by group of an N:M pattern marking it first, and
    /// changes the later weights of `columns`. Gives the errors that the columns after them are to
    /// make up for, `[out, columns]`.
    fn remove(
        &self,
        weights: &mut Matrix,
        columns: Range<usize>,
        target: Target,
        removed: &mut [bool],
    ) -> Matrix {
        let cols = weights.cols();
        let mut errors = Matrix::zeros(weights.rows(), columns.len());
        let rows = weights.as_mut_slice().par_chunks_mut(cols).zip(removed.par_chunks_mut(cols));
        let rows = rows.zip(errors.as_mut_slice().par_chunks_mut(columns.len()));
        rows.for_each(|((weights, removed), errors)| {
            let (weights, removed) = (&mut weights[columns.clone()], &mut removed[columns.clone()]);
            for offset in 0..columns.len() {
                if let Pattern::NofM { keep, of } = target.pattern
                    && offset.is_multiple_of(of)
                {
                    let group = offset..offset + of;
                    let scores = self.scores(&weights[group.clone()], columns.start + offset);
                    compute::mark_smallest(&scores, of - keep, &mut removed[group]);
                }
                if removed[offset] {
                    let column = columns.start + offset;
                    let factor = &self.factor.row(column)[column..columns.end];
                    let error = weights[offset] / factor[0];
                    let later = weights[offset..].iter_mut().zip(factor);
                    later.for_each(|(weight, factor)| *weight -= error * factor);
                    weights[offset] = 0.0;
                    errors[offset] = error;
                }
            }
        });
        errors
    }
}
