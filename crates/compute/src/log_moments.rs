//! Normaliser, mean and spread of the log-probabilities of a softmax, in one pass.

use crate::KernelLevel;
use crate::exponential::exp_falling;
use crate::kernels::for_each_level;
use crate::log_sum::largest;

/// Sums that do not wait for each other.
const LANES: usize = 16;

/// What a row of logits says of its own distribution `p = softmax(logits)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogMoments {
    /// `ln Σ exp(logits)`: a logit less this is a log-probability.
    pub log_sum: f64,
    /// Mean of `ln p(z)` over `z` drawn from `p`: minus the entropy, in nats.
    pub mean: f64,
    /// Standard deviation of `ln p(z)` over `z` drawn from `p`, in nats.
    pub deviation: f64,
}

/// The moments of a row of logits.
///
/// Exponentials in `f32`, sums in `f64`, in an order that depends on the length alone. Meant for finite
/// values, at least one: with others the result is not defined.
pub fn log_moments(logits: &[f32]) -> LogMoments {
    moments(KernelLevel::active(), logits)
}

for_each_level! { fn moments(logits: &[f32]) -> LogMoments = moments_body }

/// With `d` a logit's distance below the largest: `ln p = d − ln Σ e^d`, whose mean and variance follow
/// from the sums of `e^d`, `d·e^d` and `d²·e^d`.
#[inline(always)]
fn moments_body<const FUSED: bool>(logits: &[f32]) -> LogMoments {
    let (chunks, tail) = logits.as_chunks::<LANES>();
    let largest = largest(logits);
    // Plain loops: what is called through a closure of the standard library may not be compiled for the
    // level's instructions.
    let mut sums = [[0.0f64; LANES]; 3];
    let [zeroth, first, second] = &mut sums;
    for chunk in chunks {
        for lane in 0..LANES {
            let distance = chunk[lane] - largest;
            let weight = f64::from(exp_falling::<FUSED>(distance));
            let weighted = weight * f64::from(distance);
            zeroth[lane] += weight;
            first[lane] += weighted;
            second[lane] += weighted * f64::from(distance);
        }
    }
    let mut total = sums.map(|lanes| lanes.into_iter().sum::<f64>());
    for &value in tail {
        let distance = f64::from(value - largest);
        let weight = f64::from(exp_falling::<FUSED>(value - largest));
        total[0] += weight;
        total[1] += weight * distance;
        total[2] += weight * distance * distance;
    }
    let [zeroth, first, second] = total;
    let (log_sum, mean) = (zeroth.ln(), first / zeroth);
    // rounding may leave the variance of equals a little below 0
    let variance = (second / zeroth - mean * mean).max(0.0);
    LogMoments {
        log_sum: f64::from(largest) + log_sum,
        mean: mean - log_sum,
        deviation: variance.sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    /// The definition, in f64.
    fn plain(logits: &[f32]) -> LogMoments {
        let largest = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
        let exponentials = logits.iter().map(|&logit| (f64::from(logit) - largest).exp());
        let log_sum = largest + exponentials.sum::<f64>().ln();
        let logs: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) - log_sum).collect();
        let mean: f64 = logs.iter().map(|log| log.exp() * log).sum();
        let variance: f64 = logs.iter().map(|log| log.exp() * (log - mean).powi(2)).sum();
        LogMoments { log_sum, mean, deviation: variance.sqrt() }
    }

    #[test]
    fn the_moments_are_those_of_the_definition_at_every_level() {
        for length in [1, 15, 16, 17, 33, 1000, 49_152] {
            for spread in [0.1, 3.0, 30.0, 1000.0] {
                let logits: Vec<f32> =
                    random(1, length, 3).as_slice().iter().map(|value| value * spread).collect();
                let expected = plain(&logits);
                for level in KernelLevel::available() {
                    let found = moments(level, &logits);
                    let near = |found: f64, expected: f64| {
                        assert!(
                            (found - expected).abs() < 2e-6 * expected.abs().max(1.0),
                            "{level}, {length}, {spread}: {found} {expected}"
                        );
                    };
                    near(found.log_sum, expected.log_sum);
                    near(found.mean, expected.mean);
                    near(found.deviation, expected.deviation);
                }
            }
        }
    }

    #[test]
    fn tokens_that_are_level_have_no_spread() {
        let found = log_moments(&[3.0; 40]);
        assert!((found.mean + 40f64.ln()).abs() < 1e-9 && found.deviation < 1e-6, "{found:?}");
    }

    #[test]
    fn a_coin_has_the_moments_of_the_textbook() {
        let (p, q) = (0.8f64, 0.2f64);
        let found = log_moments(&[p.ln() as f32, q.ln() as f32]);
        assert!((found.mean - (p * p.ln() + q * q.ln())).abs() < 1e-6);
        assert!((found.deviation - (p * q).sqrt() * (p / q).ln()).abs() < 1e-6);
    }
}
