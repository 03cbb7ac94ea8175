//! The gate of a gated MLP.

use serde::{Deserialize, Serialize};

use crate::Precision;
use crate::exponential::exp;
use crate::kernels::{Kernels, for_each_level};

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

/// `activation(gate) · up`, element by element, in place of `gate`.
///
/// NaN goes the way of the arithmetic.
pub(crate) fn gate(kernels: Kernels, activation: Activation, gate: &mut [f32], up: &[f32]) {
    match (activation, kernels.precision) {
        (Activation::Silu, Precision::F32) => silu_full(kernels.level, gate, up),
        (Activation::Silu, Precision::Bf16) => silu_bf16(kernels.level, gate, up),
    }
}

for_each_level! { fn silu_full(gate: &mut [f32], up: &[f32]) = silu_full_body }
for_each_level! { fn silu_bf16(gate: &mut [f32], up: &[f32]) = silu_bf16_body }

#[inline(always)]
fn silu_full_body<const FUSED: bool>(gate: &mut [f32], up: &[f32]) {
    silu::<FUSED>(gate, up, Precision::F32);
}

#[inline(always)]
fn silu_bf16_body<const FUSED: bool>(gate: &mut [f32], up: &[f32]) {
    silu::<FUSED>(gate, up, Precision::Bf16);
}

#[inline(always)]
fn silu<const FUSED: bool>(gate: &mut [f32], up: &[f32], precision: Precision) {
    for (gate, up) in gate.iter_mut().zip(up) {
        let activated = *gate / (1.0 + exp::<FUSED>(-*gate));
        *gate = precision.round(precision.round(activated) * up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelLevel;
    use crate::testing::bits;

    #[test]
    fn silu_equals_its_f64_twin_at_every_level() {
        let inputs: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.02).collect();
        let up = vec![1.5f32; inputs.len()];
        for level in KernelLevel::available() {
            let mut outputs = inputs.clone();
            silu_full(level, &mut outputs, &up);
            for (&x, &y) in inputs.iter().zip(&outputs) {
                let expected = f64::from(x) / (1.0 + (-f64::from(x)).exp()) * 1.5;
                let error = (f64::from(y) - expected).abs();
                assert!(error <= 6e-7 * expected.abs() + 1e-36, "{level}: {x} {y} {expected}");
            }
            silu_bf16(level, &mut outputs, &up);
            let mut again = outputs.clone();
            Precision::Bf16.round_slice(&mut again);
            assert_eq!(bits(&again), bits(&outputs));
        }
    }
}
