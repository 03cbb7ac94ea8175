//! How a token's probability stands in the distribution it was drawn from, or was not.

use compute::log_moments;

/// The spread below which a distribution counts as certain, in nats.
const CERTAIN: f64 = 1e-6;

/// A token's log-probability beside the moments of the log-probabilities at its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenMoments {
    /// `ln p(x_t)`, given the tokens before it.
    pub log_probability: f64,
    /// `μ_t`: mean of `ln p(z)` over `z` drawn from the model's distribution at this position.
    pub mean: f64,
    /// `σ_t`: standard deviation of `ln p(z)` over the same.
    pub deviation: f64,
}

impl TokenMoments {
    /// Of token `token` under the distribution `softmax(logits)`.
    pub(super) fn of(logits: &[f32], token: usize) -> Self {
        let moments = log_moments(logits);
        Self {
            log_probability: f64::from(logits[token]) - moments.log_sum,
            mean: moments.mean,
            deviation: moments.deviation,
        }
    }

    /// `(ln p(x_t) − μ_t) / σ_t`: how much more probable the token is than what the model would write
    /// itself, in standard deviations (Zhang et al., Min-K%++, ICLR 2025, equation 3). The spread is
    /// taken for at least 1e-6 nats, so that the figure is finite where the model is certain.
    pub fn standardised(&self) -> f64 {
        (self.log_probability - self.mean) / self.deviation.max(CERTAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_set_against_its_own_distribution() {
        let (p, q) = (0.8f64, 0.2f64);
        let logits = [p.ln() as f32, q.ln() as f32];
        // (ln p − μ) / σ of a coin is √(q / p), and −√(p / q) for its other side.
        assert!((TokenMoments::of(&logits, 0).standardised() - (q / p).sqrt()).abs() < 1e-5);
        assert!((TokenMoments::of(&logits, 1).standardised() + (p / q).sqrt()).abs() < 1e-5);
    }

    #[test]
    fn certainty_gives_finite_figures() {
        let level = TokenMoments::of(&[1.5; 8], 3);
        assert!(level.standardised().abs() < 0.1, "{level:?}");
        let certain = TokenMoments::of(&[0.0, -500.0], 1).standardised();
        assert!(certain.is_finite() && certain < -1e6, "{certain}");
    }
}
