//! The normaliser of a softmax.

use crate::KernelLevel;
use crate::exponential::exp;
use crate::kernels::for_each_level;

/// Sums that do not wait for each other.
const LANES: usize = 16;

/// `ln Σ exp(values)`, within 1e-6 of its value; minus infinity where there are no values.
///
/// Exponentials in `f32`, their sum in `f64`, in an order that depends on the length alone. Meant for
/// finite values: with others the result is not defined.
pub fn log_sum_exp(values: &[f32]) -> f64 {
    log_sum(KernelLevel::active(), values)
}

for_each_level! { fn log_sum(values: &[f32]) -> f64 = log_sum_body }

#[inline(always)]
fn log_sum_body<const FUSED: bool>(values: &[f32]) -> f64 {
    let (chunks, tail) = values.as_chunks::<LANES>();
    let largest = largest(values);
    // Plain loops: what is called through a closure of the standard library may not be compiled for the
    // level's instructions.
    let mut sums = [0.0f64; LANES];
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(exp::<FUSED>(value - largest));
        }
    }
    let mut total = sums.into_iter().sum::<f64>();
    for &value in tail {
        total += f64::from(exp::<FUSED>(value - largest));
    }
    f64::from(largest) + total.ln()
}

/// The largest value; minus infinity where there are none.
#[inline(always)]
pub(crate) fn largest(values: &[f32]) -> f32 {
    let (chunks, tail) = values.as_chunks::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, &value) in largest.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    largest.iter().chain(tail).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    #[test]
    fn the_sum_is_that_of_the_definition_at_every_level() {
        for length in [1, 15, 16, 17, 33, 1000, 49_152] {
            for spread in [0.1, 10.0, 1000.0] {
                let values: Vec<f32> =
                    random(1, length, 3).as_slice().iter().map(|value| value * spread).collect();
                let largest = f64::from(values.iter().copied().fold(f32::MIN, f32::max));
                let plain = values.iter().map(|&value| (f64::from(value) - largest).exp());
                let plain = largest + plain.sum::<f64>().ln();
                for level in KernelLevel::available() {
                    let found = log_sum(level, &values);
                    let allowed = 1e-6 * plain.abs().max(1.0);
                    assert!((found - plain).abs() < allowed, "{level}: {found} {plain}");
                }
            }
        }
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }
}
