//! The gate of a gated MLP, from sums to the words of an input.

use super::{Kernels, for_each_level, store_row};
use crate::exponential::exp;
use crate::{Activation, Precision};

/// Values of a row that are gated at a time where they are not words at once, an even number.
const PIECE: usize = 64;

/// A row of a gate and of what it gates, of one length.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) gate: &'a [f32],
    pub(crate) up: &'a [f32],
}

/// `activation(gate) · up`, element by element, as words of an input (`[row_words(length)]`). The
/// activation and the product are rounded as the precision says.
///
/// NaN goes the way of the arithmetic.
pub(crate) fn gate(kernels: Kernels, activation: Activation, row: Row<'_>, words: &mut [u32]) {
    match activation {
        #[cfg(target_arch = "x86_64")]
        Activation::Silu if kernels.takes_pairs() && kernels.level.has_avx512() => {
            // SAFETY: a level is active only when the processor has its instructions.
            unsafe { super::avx512_gate::silu_pairs(row, words) }
        }
        Activation::Silu => {
            for (index, (gate, up)) in row.gate.chunks(PIECE).zip(row.up.chunks(PIECE)).enumerate()
            {
                let mut products = [0.0; PIECE];
                let products = &mut products[..gate.len()];
                let piece = Row { gate, up };
                match kernels.precision {
                    Precision::F32 => silu_full(kernels.level, piece, products),
                    Precision::Bf16 => silu_bf16(kernels.level, piece, products),
                }
                let words = &mut words[kernels.row_words(index * PIECE)..];
                store_row(kernels, products, &mut words[..kernels.row_words(gate.len())]);
            }
        }
    }
}

for_each_level! { fn silu_full(row: Row<'_>, out: &mut [f32]) = silu_full_body }
for_each_level! { fn silu_bf16(row: Row<'_>, out: &mut [f32]) = silu_bf16_body }

#[inline(always)]
fn silu_full_body<const FUSED: bool>(row: Row<'_>, out: &mut [f32]) {
    silu::<FUSED>(row, out, Precision::F32);
}

#[inline(always)]
fn silu_bf16_body<const FUSED: bool>(row: Row<'_>, out: &mut [f32]) {
    silu::<FUSED>(row, out, Precision::Bf16);
}

#[inline(always)]
fn silu<const FUSED: bool>(row: Row<'_>, out: &mut [f32], precision: Precision) {
    for ((out, &gate), &up) in out.iter_mut().zip(row.gate).zip(row.up) {
        let activated = gate / (1.0 + exp::<FUSED>(-gate));
        *out = precision.round(activated) * up;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelLevel;
    use crate::kernels::load_row;

    fn gated(kernels: Kernels, row: Row<'_>) -> Vec<f32> {
        let mut words = vec![0; kernels.row_words(row.gate.len())];
        gate(kernels, Activation::Silu, row, &mut words);
        let mut values = vec![f32::NAN; row.gate.len()];
        load_row(kernels, &words, &mut values);
        values
    }

    #[test]
    fn silu_equals_its_f64_twin_at_every_level() {
        let inputs: Vec<f32> = (-4000..4033).map(|i| i as f32 * 0.02).collect();
        let up = vec![1.5f32; inputs.len()];
        // in bf16 the activation is rounded, and the product
        for (precision, relative) in [(Precision::F32, 6e-7), (Precision::Bf16, 7.9e-3)] {
            for level in KernelLevel::available() {
                let outputs = gated(Kernels { level, precision }, Row { gate: &inputs, up: &up });
                for (&x, &y) in inputs.iter().zip(&outputs) {
                    let x = f64::from(x);
                    let expected = x / (1.0 + (-x).exp()) * 1.5;
                    let error = (f64::from(y) - expected).abs();
                    assert!(error <= relative * expected.abs() + 1e-36, "{level}: {x} {y}");
                }
            }
        }
    }

    #[test]
    fn factors_are_rounded_to_the_nearest() {
        let inputs: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.003).collect();
        let up = vec![1.0f32; inputs.len()];
        for level in KernelLevel::available() {
            let kernels = Kernels { level, precision: Precision::Bf16 };
            let outputs = gated(kernels, Row { gate: &inputs, up: &up });
            for (&x, &y) in inputs.iter().zip(&outputs) {
                let x = f64::from(x);
                let expected = x / (1.0 + (-x).exp());
                // half a unit of the last of 8 bits, and the approximation
                let unit = expected.abs().log2().floor().exp2() / 128.0;
                let error = (f64::from(y) - expected).abs();
                assert!(error <= 0.5 * unit + 6e-6 * expected.abs(), "{level}: {x} {y}");
            }
        }
    }

    #[test]
    fn a_value_is_the_same_wherever_it_stands_in_a_row_and_extremes_go_their_way() {
        let inputs = [-90.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, -0.0, -3.5, 100.0];
        for precision in [Precision::F32, Precision::Bf16] {
            for level in KernelLevel::available() {
                let kernels = Kernels { level, precision };
                let row: Vec<f32> = inputs.iter().copied().cycle().take(77).collect();
                let outputs = gated(kernels, Row { gate: &row, up: &[1.0; 77] });
                for (index, y) in outputs.iter().enumerate() {
                    assert_eq!(y.to_bits(), outputs[index % 8].to_bits(), "{level} {index}");
                }
                assert!(
                    outputs[0].abs() < 1e-36 && outputs[2] == f32::INFINITY && outputs[7] == 100.0
                );
                assert!(outputs[1].is_nan() && outputs[3].is_nan());
                assert_eq!((outputs[4], outputs[5]), (0.0, 0.0));
            }
        }
    }
}
