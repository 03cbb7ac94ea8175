//! The divergence of two softmaxes.

use crate::KernelLevel;
use crate::exponential::exp;
use crate::kernels::for_each_level;
use crate::log_sum::largest;

/// Sums that do not wait for each other.
const LANES: usize = 16;

/// What two rows of logits say of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxDivergence {
    /// Kullback–Leibler divergence `KL(p ‖ q) = Σ p ln(p / q)` of the first softmax from the second, in
    /// nats, never negative.
    pub kl: f64,
    /// `ln Σ exp` of the first row.
    pub log_sum: f64,
    /// `ln Σ exp` of the second row.
    pub other_log_sum: f64,
}

/// The divergence of `softmax(other)` from `softmax(reference)`, and both normalisers, within 1e-6 of
/// their values (relative where they are above 1).
///
/// Exponentials in `f32`, sums in `f64`, in an order that depends on the length alone. Meant for finite
/// values: with others the result is not defined.
///
/// # Panics
/// When the lengths differ or are zero.
pub fn softmax_divergence(reference: &[f32], other: &[f32]) -> SoftmaxDivergence {
    assert_eq!(reference.len(), other.len(), "rows of one vocabulary");
    assert!(!reference.is_empty(), "a distribution over something");
    diverge(KernelLevel::active(), reference, other)
}

for_each_level! {
    fn diverge(reference: &[f32], other: &[f32]) -> SoftmaxDivergence = diverge_body
}

/// With `a = x − max x`, `b = y − max y`, `P = Σ eᵃ`, `Q = Σ eᵇ`:
/// `KL = Σ eᵃ (a − b) / P − ln P + ln Q`.
#[inline(always)]
fn diverge_body<const FUSED: bool>(reference: &[f32], other: &[f32]) -> SoftmaxDivergence {
    let (first, second) = (largest(reference), largest(other));
    let (rows, tail) = reference.as_chunks::<LANES>();
    let (other_rows, other_tail) = other.as_chunks::<LANES>();
    let (mut p, mut q, mut mixed) = ([0.0f64; LANES], [0.0f64; LANES], [0.0f64; LANES]);
    // Plain loops: what is called through a closure of the standard library may not be compiled for the
    // level's instructions.
    for (row, other_row) in rows.iter().zip(other_rows) {
        for lane in 0..LANES {
            let (a, b) = (row[lane] - first, other_row[lane] - second);
            let weight = f64::from(exp::<FUSED>(a));
            p[lane] += weight;
            q[lane] += f64::from(exp::<FUSED>(b));
            mixed[lane] += weight * (f64::from(a) - f64::from(b));
        }
    }
    let mut sums = [p, q, mixed].map(|lanes| lanes.into_iter().sum::<f64>());
    for (&x, &y) in tail.iter().zip(other_tail) {
        let (a, b) = (x - first, y - second);
        let weight = f64::from(exp::<FUSED>(a));
        sums[0] += weight;
        sums[1] += f64::from(exp::<FUSED>(b));
        sums[2] += weight * (f64::from(a) - f64::from(b));
    }
    let [p, q, mixed] = sums;
    SoftmaxDivergence {
        kl: (mixed / p - p.ln() + q.ln()).max(0.0), // rounding may leave equals a little below 0
        log_sum: f64::from(first) + p.ln(),
        other_log_sum: f64::from(second) + q.ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    /// The definition in `f64`.
    fn naive(reference: &[f32], other: &[f32]) -> SoftmaxDivergence {
        let log_sum = |values: &[f32]| {
            let largest = f64::from(values.iter().copied().fold(f32::MIN, f32::max));
            largest + values.iter().map(|&v| (f64::from(v) - largest).exp()).sum::<f64>().ln()
        };
        let (log_sum, other_log_sum) = (log_sum(reference), log_sum(other));
        let term = |(&x, &y): (&f32, &f32)| {
            let (p, q) = (f64::from(x) - log_sum, f64::from(y) - other_log_sum);
            p.exp() * (p - q)
        };
        SoftmaxDivergence {
            kl: reference.iter().zip(other).map(term).sum(),
            log_sum,
            other_log_sum,
        }
    }

    #[test]
    fn the_divergence_is_that_of_the_definition_at_every_level() {
        for length in [1, 15, 16, 17, 33, 1000, 49_152] {
            for (spread, noise) in [(0.1, 1e-3), (10.0, 0.1), (30.0, 5.0), (300.0, 300.0)] {
                let scaled = |seed: u64, by: f32| -> Vec<f32> {
                    random(1, length, seed).as_slice().iter().map(|value| value * by).collect()
                };
                let reference = scaled(3, spread);
                let other: Vec<f32> =
                    reference.iter().zip(scaled(4, noise)).map(|(a, b)| a + b + 7.0).collect();
                let plain = naive(&reference, &other);
                for level in KernelLevel::available() {
                    let found = diverge(level, &reference, &other);
                    for (found, plain) in [
                        (found.kl, plain.kl),
                        (found.log_sum, plain.log_sum),
                        (found.other_log_sum, plain.other_log_sum),
                    ] {
                        let allowed = 1e-6 * plain.abs().max(1.0);
                        assert!((found - plain).abs() < allowed, "{level}: {found} {plain}");
                    }
                }
            }
        }
    }

    #[test]
    fn equal_rows_do_not_diverge() {
        let row = random(1, 1000, 5).as_slice().to_vec();
        assert_eq!(softmax_divergence(&row, &row).kl, 0.0);
    }
}
