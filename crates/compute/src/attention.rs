//! Causal attention with grouped-query heads.

use rayon::prelude::*;

use crate::{Matrix, MatrixRef, Precision};

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Number of query heads.
    pub heads: usize,
    /// Number of key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl AttentionShape {
    /// Width of the queries and of the result.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of the keys and of the values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Causal attention of one sequence.
///
/// `q` is `[new, heads · head_dim]`, `k` and `v` are `[past + new, kv_heads · head_dim]`; query `i`
/// sees keys `0 ..= past + i`. The result is `[new, heads · head_dim]`.
///
/// # Panics
/// When the widths are not the shape's, or there are fewer keys than queries.
pub fn causal_attention(
    shape: &AttentionShape,
    q: MatrixRef<'_>,
    k: MatrixRef<'_>,
    v: MatrixRef<'_>,
    precision: Precision,
) -> Matrix {
    assert_eq!(q.cols(), shape.query_width());
    assert_eq!((k.cols(), v.cols()), (shape.kv_width(), shape.kv_width()));
    assert!(k.rows() == v.rows() && k.rows() >= q.rows());
    let past = k.rows() - q.rows();
    let mut out = Matrix::zeros(q.rows(), q.cols());
    out.as_mut_slice().par_chunks_mut(q.cols().max(1)).enumerate().for_each(|(row, out)| {
        for (head, out) in out.chunks_exact_mut(shape.head_dim).enumerate() {
            attend(shape, head, q.row(row), k.view_rows(0..past + row + 1), v, out);
        }
        precision.round_slice(out);
    });
    out
}

/// One query of one head over all keys of `k`.
fn attend(
    shape: &AttentionShape,
    head: usize,
    q: &[f32],
    k: MatrixRef<'_>,
    v: MatrixRef<'_>,
    out: &mut [f32],
) {
    let width = shape.head_dim;
    let q = &q[head * width..][..width];
    let kv_start = head / (shape.heads / shape.kv_heads) * width;
    let score = |key: usize| {
        let k = &k.row(key)[kv_start..][..width];
        shape.scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>()
    };
    let mut weights: Vec<f32> = (0..k.rows()).map(score).collect();
    let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0f32;
    for weight in &mut weights {
        *weight = (*weight - largest).exp();
        total += *weight;
    }
    for (key, weight) in weights.iter().enumerate() {
        for (out, v) in out.iter_mut().zip(&v.row(key)[kv_start..][..width]) {
            *out += weight / total * v;
        }
    }
}
