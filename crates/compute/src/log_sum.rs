//! The normaliser of a softmax.

use crate::KernelLevel;
use crate::exponential::exp_falling;
use crate::kernels::for_each_level;

/// Sums that do not wait for each other.
const LANES: usize = 16;
/// Values that are summed on their own before they join the others', so that they may be made and
/// forgotten some at a time.
pub(crate) const STRIP: usize = 512;

/// What a softmax needs to know of [`STRIP`] values, or of fewer at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StripSum {
    /// The largest value.
    pub(crate) largest: f32,
    /// `Σ exp(value − largest)`.
    pub(crate) sum: f64,
}

impl StripSum {
    pub(crate) fn of(level: KernelLevel, values: &[f32]) -> Self {
        debug_assert!(values.len() <= STRIP);
        let (largest, sum) = strip_sum(level, values);
        Self { largest, sum }
    }
}

/// `ln Σ exp(values)`, within 1e-6 of its value; minus infinity where there are no values.
///
/// Exponentials in `f32`, their sum in `f64`, in an order that depends on the length alone. Meant for
/// finite values: with others the result is not defined.
pub fn log_sum_exp(values: &[f32]) -> f64 {
    log_sum(KernelLevel::active(), values)
}

fn log_sum(level: KernelLevel, values: &[f32]) -> f64 {
    let strips: Vec<_> = values.chunks(STRIP).map(|strip| StripSum::of(level, strip)).collect();
    log_sum_of_strips(&strips).0
}

/// `ln Σ exp` of the values of all strips, and the largest value.
pub(crate) fn log_sum_of_strips(strips: &[StripSum]) -> (f64, f32) {
    let largest = strips.iter().map(|strip| strip.largest).fold(f32::NEG_INFINITY, f32::max);
    let total = |total: f64, strip: &StripSum| {
        total + strip.sum * (f64::from(strip.largest) - f64::from(largest)).exp()
    };
    (f64::from(largest) + strips.iter().fold(0.0, total).ln(), largest)
}

for_each_level! { fn strip_sum(values: &[f32]) -> (f32, f64) = strip_sum_body }

#[inline(always)]
fn strip_sum_body<const FUSED: bool>(values: &[f32]) -> (f32, f64) {
    let largest = largest(values);
    let (chunks, tail) = values.as_chunks::<LANES>();
    // Plain loops: what is called through a closure of the standard library may not be compiled for the
    // level's instructions.
    let mut sums = [0.0f64; LANES];
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(exp_falling::<FUSED>(value - largest));
        }
    }
    let mut total = sums.into_iter().sum::<f64>();
    for &value in tail {
        total += f64::from(exp_falling::<FUSED>(value - largest));
    }
    (largest, total)
}

/// The largest value; minus infinity where there are none.
#[inline(always)]
pub fn largest(values: &[f32]) -> f32 {
    // lanes that do not wait for each other: a plain fold takes one value at a time
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
    fn the_largest_is_found_wherever_it_stands() {
        for length in [1, 15, 16, 17, 64, 99] {
            for place in 0..length {
                let mut values = vec![-5.0; length];
                values[place] = -1.0;
                assert_eq!(largest(&values), -1.0, "{length} {place}");
            }
        }
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }

    #[test]
    fn the_sum_is_that_of_the_definition_at_every_level() {
        for length in [1, 15, 16, 17, 33, 511, 512, 513, 1000, 49_152] {
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
