//! Masks: which weights of a linear are removed.

use compute::Matrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Pattern, Scope};

/// Values of a tensor that are looked at together.
const PIECE: usize = 1 << 20;

/// Which weights of a linear are removed, `[out, in]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    rows: usize,
    cols: usize,
    removed: Vec<bool>,
}

/// How many weights of a tensor are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sparsity {
    /// Weights that are zero.
    pub zeros: u64,
    /// All weights.
    pub weights: u64,
}

impl Mask {
    /// Removes the weights with the smallest scores (`[out, in]`), exactly as many as `pattern`
    /// asks for; of equal scores the one with the lower index goes first.
    ///
    /// A fraction `s` removes `floor(in · s)` of each row, or `floor(out · in · s)` of the layer.
    ///
    /// # Panics
    /// When an N:M pattern does not divide the inputs ([`Pattern::check`] refuses it before).
    pub fn of_smallest(scores: &Matrix, pattern: Pattern, scope: Scope) -> Self {
        let (all, groups) = (compute::mark_smallest_of_many, compute::mark_smallest_of_groups);
        Self::chosen(scores, (pattern, scope), all, groups)
    }

    /// Removes the smallest `weights` (`[out, in]`), as [`Mask::of_smallest`] does.
    pub fn of_least_size(weights: &Matrix, pattern: Pattern, scope: Scope) -> Self {
        let (all, groups) = (compute::mark_least_of_many, compute::mark_least_of_groups);
        Self::chosen(weights, (pattern, scope), all, groups)
    }

    /// Removes what `all` marks of all values, or `groups` of groups in a row.
    fn chosen(
        values: &Matrix,
        (pattern, scope): (Pattern, Scope),
        all: impl Fn(&[f32], usize, &mut [bool]),
        groups: impl Fn(&[f32], (usize, usize), &mut [bool]),
    ) -> Self {
        let (rows, cols) = (values.rows(), values.cols());
        let mut removed = vec![false; rows * cols];
        let group = match (pattern, scope) {
            (Pattern::NofM { of, .. }, _) => of,
            (Pattern::Fraction { .. }, Scope::Row) => cols,
            (Pattern::Fraction { .. }, Scope::Layer) => rows * cols,
        };
        assert!(group == 0 || removed.len().is_multiple_of(group), "{pattern} divides the inputs");
        let count = match pattern {
            Pattern::NofM { keep, of } => of - keep,
            Pattern::Fraction { sparsity } => (group as f64 * sparsity) as usize,
        };
        if group == removed.len() {
            all(values.as_slice(), count, &mut removed);
        } else {
            groups(values.as_slice(), (group, count), &mut removed);
        }
        Self { rows, cols, removed }
    }

    /// The mask of `removed`, row after row.
    ///
    /// # Panics
    /// When there are not `rows * cols` values.
    pub fn new(rows: usize, cols: usize, removed: Vec<bool>) -> Self {
        assert_eq!(removed.len(), rows * cols);
        Self { rows, cols, removed }
    }

    /// Whether each weight is removed, row after row.
    pub fn removed(&self) -> &[bool] {
        &self.removed
    }

    /// How many weights are removed.
    pub fn count(&self) -> usize {
        self.removed.iter().filter(|removed| **removed).count()
    }

    /// Sets the removed weights of `weights` to zero.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn apply(&self, weights: &mut Matrix) {
        assert_eq!((self.rows, self.cols), (weights.rows(), weights.cols()));
        let width = self.cols.max(1);
        let rows = weights.as_mut_slice().par_chunks_mut(width);
        rows.zip(self.removed.par_chunks(width)).for_each(|(weights, removed)| {
            let values = weights.iter_mut().zip(removed);
            values.for_each(|(weight, removed)| *weight = if *removed { 0.0 } else { *weight });
        });
    }
}

impl Sparsity {
    /// Counts the zeros of `weights`.
    pub fn of(weights: &[f32]) -> Self {
        let zeros = weights.par_iter().filter(|weight| **weight == 0.0).count() as u64;
        Self { zeros, weights: weights.len() as u64 }
    }

    /// Counts the zeros of a tensor, a piece at a time: no copy of it is made.
    pub fn of_tensor(tensor: &lm::Tensor<'_>) -> Self {
        let dtype = tensor.info.dtype;
        let pieces = tensor.bytes.chunks(PIECE * dtype.size());
        pieces.fold(Self::default(), |sum, piece| sum.and(Self::of(&dtype.decode(piece))))
    }

    /// The share of zeros; 0 for no weights.
    pub fn share(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { self.zeros as f64 / self.weights as f64 }
    }

    /// The counts of both together.
    pub fn and(self, other: Self) -> Self {
        Self { zeros: self.zeros + other.zeros, weights: self.weights + other.weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lm::{Dtype, Tensor, TensorInfo};
    use proptest::prelude::*;

    /// The same choice by sorting everything, group by group.
    fn twin(scores: &Matrix, group: usize, count: usize) -> Vec<bool> {
        let mut removed = vec![false; scores.as_slice().len()];
        for (start, scores) in scores.as_slice().chunks(group).enumerate() {
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            order[..count].iter().for_each(|index| removed[start * group + index] = true);
        }
        removed
    }

    fn scores(rows: usize, cols: usize) -> impl Strategy<Value = Matrix> {
        // few distinct values, so that ties are common
        proptest::collection::vec(0u8..6, rows * cols)
            .prop_map(move |v| Matrix::from_vec(rows, cols, v.into_iter().map(f32::from).collect()))
    }

    proptest! {
        #[test]
        fn exactly_the_smallest_are_removed(scores in scores(7, 16), sparsity in 0.0f64..1.0) {
            let fraction = Pattern::Fraction { sparsity };
            let row = Mask::of_smallest(&scores, fraction, Scope::Row);
            prop_assert_eq!(row.removed(), twin(&scores, 16, (16.0 * sparsity) as usize));
            let layer = Mask::of_smallest(&scores, fraction, Scope::Layer);
            prop_assert_eq!(layer.removed(), twin(&scores, 112, (112.0 * sparsity) as usize));
            let pattern = Pattern::NofM { keep: 2, of: 8 };
            let groups = Mask::of_smallest(&scores, pattern, Scope::Row);
            prop_assert_eq!(groups.removed(), twin(&scores, 8, 6));
            let signed = scores.as_slice().iter().enumerate();
            let signed = signed.map(|(i, score)| if i % 3 == 0 { -score } else { *score }).collect();
            let signed = Matrix::from_vec(7, 16, signed);
            for (pattern, scope, same) in
                [(fraction, Scope::Row, row), (fraction, Scope::Layer, layer), (pattern, Scope::Row, groups)]
            {
                prop_assert_eq!(Mask::of_least_size(&signed, pattern, scope), same);
            }
        }

        #[test]
        fn kept_weights_are_untouched(scores in scores(3, 8)) {
            let mut weights = scores.clone();
            let mask = Mask::of_smallest(&scores, Pattern::NofM { keep: 1, of: 2 }, Scope::Row);
            mask.apply(&mut weights);
            for (index, removed) in mask.removed().iter().enumerate() {
                let expected = if *removed { 0.0 } else { scores.as_slice()[index] };
                prop_assert_eq!(weights.as_slice()[index], expected);
            }
        }
    }

    #[test]
    fn zeros_of_a_tensor_are_those_of_its_values() {
        let values: Vec<f32> = (0..PIECE + 5).map(|index| (index % 3) as f32).collect();
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let info = TensorInfo { dtype, shape: vec![values.len()] };
            let tensor = Tensor { info, bytes: dtype.encode(&values).into() };
            assert_eq!(Sparsity::of_tensor(&tensor), Sparsity::of(&values));
        }
    }
}
