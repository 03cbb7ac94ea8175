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

/// A gate and what it gates, of one length.
#[derive(Clone, Copy)]
pub(crate) struct Strips<'a> {
    pub(crate) gate: &'a [f32],
    pub(crate) up: &'a [f32],
}

/// `activation(gate) · up`, element by element; the activation is rounded as the precision says, the product
/// is not: who stores it does that.
///
/// NaN goes the way of the arithmetic.
pub(crate) fn gate(kernels: Kernels, activation: Activation, strips: Strips<'_>, out: &mut [f32]) {
    match (activation, kernels.precision) {
        (Activation::Silu, Precision::F32) => silu_full(kernels.level, strips, out),
        (Activation::Silu, Precision::Bf16) => silu_bf16(kernels.level, strips, out),
    }
}

for_each_level! { fn silu_full(strips: Strips<'_>, out: &mut [f32]) = silu_full_body }
for_each_level! { fn silu_bf16(strips: Strips<'_>, out: &mut [f32]) = silu_bf16_body }

#[inline(always)]
fn silu_full_body<const FUSED: bool>(strips: Strips<'_>, out: &mut [f32]) {
    silu::<FUSED>(strips, out, Precision::F32);
}

#[inline(always)]
fn silu_bf16_body<const FUSED: bool>(strips: Strips<'_>, out: &mut [f32]) {
    silu::<FUSED>(strips, out, Precision::Bf16);
}

#[inline(always)]
fn silu<const FUSED: bool>(strips: Strips<'_>, out: &mut [f32], precision: Precision) {
    for ((out, &gate), &up) in out.iter_mut().zip(strips.gate).zip(strips.up) {
        let activated = gate / (1.0 + exp::<FUSED>(-gate));
        *out = precision.round(activated) * up;
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
            let strips = Strips { gate: &inputs, up: &up };
            let mut outputs = vec![0.0; inputs.len()];
            silu_full(level, strips, &mut outputs);
            for (&x, &y) in inputs.iter().zip(&outputs) {
                let expected = f64::from(x) / (1.0 + (-f64::from(x)).exp()) * 1.5;
                let error = (f64::from(y) - expected).abs();
                assert!(error <= 6e-7 * expected.abs() + 1e-36, "{level}: {x} {y} {expected}");
            }
            let ones = vec![1.0; inputs.len()];
            let mut activated = vec![0.0; inputs.len()];
            silu_full(level, Strips { gate: &inputs, up: &ones }, &mut activated);
            Precision::Bf16.round_slice(&mut activated);
            let expected: Vec<f32> = activated.iter().map(|y| y * 1.5).collect();
            silu_bf16(level, strips, &mut outputs);
            assert_eq!(bits(&outputs), bits(&expected), "{level}");
        }
    }
}
