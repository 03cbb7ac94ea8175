//! The problem of one site with inputs of unit norm.

use compute::Matrix;
use rayon::prelude::*;

/// The problem `min ‖X(W − Ŵ)ᵀ‖²` of one site with inputs divided by their norm and weights multiplied
/// by it. Of inputs that are zero on every token nothing depends on the weights, which become zero.
pub(crate) struct Normalised {
    /// The Gram matrix of the inputs, `[in, in]`, both triangles, damping included.
    pub(crate) gram: Matrix,
    /// What leads there and back.
    pub(crate) scale: Scale,
}

/// The norms of the inputs, `[in]`.
pub(crate) struct Scale {
    norms: Vec<f32>,
}

impl Normalised {
    /// Divides `gram`, `[in, in]`, both triangles, after `damping` times the mean of its diagonal was
    /// added to the diagonal.
    pub(crate) fn new(mut gram: Matrix, damping: f32) -> Self {
        let n = gram.rows();
        let mean = (0..n).map(|j| f64::from(gram.row(j)[j])).sum::<f64>() / n.max(1) as f64;
        let added = (f64::from(damping) * mean) as f32;
        let norms: Vec<f32> = (0..n).map(|j| (gram.row(j)[j] + added).max(0.0).sqrt()).collect();
        let inverse: Vec<f32> =
            norms.iter().map(|norm| if *norm > 0.0 { norm.recip() } else { 0.0 }).collect();
        for (i, scale) in inverse.iter().enumerate() {
            let row = gram.row_mut(i);
            row.iter_mut().zip(&inverse).for_each(|(value, other)| *value *= scale * other);
            row[i] = 1.0;
        }
        Self { gram, scale: Scale { norms } }
    }
}

impl Scale {
    /// The weights of the problem for `dense`, `[out, in]`.
    pub(crate) fn weights(&self, dense: &Matrix) -> Matrix {
        let mut weights = dense.clone();
        let rows = weights.as_mut_slice().par_chunks_mut(self.norms.len().max(1));
        rows.for_each(|row| {
            row.iter_mut().zip(&self.norms).for_each(|(weight, norm)| *weight *= norm);
        });
        weights
    }

    /// Turns `weights` of the problem back into weights of the linear: what was kept of inputs that are
    /// always zero is as in `dense`.
    pub(crate) fn restore(&self, weights: &mut Matrix, dense: &Matrix, removed: &[bool]) {
        let width = self.norms.len().max(1);
        let rows = weights.as_mut_slice().par_chunks_mut(width);
        let rows = rows.zip(dense.as_slice().par_chunks(width)).zip(removed.par_chunks(width));
        rows.for_each(|((weights, dense), removed)| {
            let values = weights.iter_mut().zip(dense).zip(&self.norms).zip(removed);
            for (((weight, dense), norm), removed) in values {
                *weight = match (removed, *norm > 0.0) {
                    (true, _) => 0.0,
                    (false, true) => *weight / norm,
                    (false, false) => *dense,
                };
            }
        });
    }
}
