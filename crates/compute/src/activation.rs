//! The gate of a gated MLP.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Matrix, Precision};

/// The non-linearity of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(x)`, also called swish.
    Silu,
}

impl Activation {
    /// The activation of one value.
    #[inline]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }
}

/// `activation(gate) · up`, element by element; the result takes the place of `gate`.
///
/// # Panics
/// When the shapes differ.
pub fn gate(gate: &mut Matrix, up: &Matrix, activation: Activation, precision: Precision) {
    assert_eq!((gate.rows(), gate.cols()), (up.rows(), up.cols()));
    let width = gate.cols().max(1);
    let rows = gate.as_mut_slice().par_chunks_mut(width).zip(up.as_slice().par_chunks(width));
    rows.for_each(|(gate, up)| {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = precision.round(precision.round(activation.of(*gate)) * up);
        }
    });
}
