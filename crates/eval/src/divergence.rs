//! Divergence from a dense model.

use lm::scoring::{self, Options, TokenDivergence};
use lm::{Model, Observer};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How far a model's predictions are from a reference's, over all scored positions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// Mean Kullback–Leibler divergence KL(reference ‖ model) of the next token, nats a token.
    pub mean_kl: f64,
    /// The divergence that 99 % of the positions do not exceed, in nats.
    pub p99_kl: f64,
    /// Share of the positions where both find the same token most probable.
    pub top1_agreement: f64,
    /// Mean over the positions of the log-probability drift: what the model gives the text's own
    /// token, minus what the reference gives it, in nats. Negative where the text became less
    /// probable.
    pub mean_drift: f64,
    /// Standard deviation of the drift over the positions, in nats: large where losses on some tokens
    /// are hidden by gains on others.
    pub drift_deviation: f64,
    /// Perplexity of the sequences under the reference.
    pub reference_perplexity: f64,
    /// Perplexity of the sequences under the model.
    pub perplexity: f64,
    /// Sequences compared.
    pub sequences: usize,
    /// Positions compared: all tokens of a sequence but the first.
    pub scored_tokens: usize,
}

/// The divergence of `model` from `reference` on `sequences` of token ids.
///
/// # Errors
/// When no sequence has two tokens, the models' vocabularies differ, a model cannot be read or does
/// not fit the memory, or the observer cancels.
pub fn divergence(
    reference: &Model,
    model: &Model,
    sequences: &[&[u32]],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Divergence> {
    let found = scoring::token_divergences(reference, model, sequences, options, observer)?;
    let positions: Vec<TokenDivergence> = found.into_iter().flatten().collect();
    if positions.is_empty() {
        return Err(Error::NothingToCompare);
    }
    Ok(summary(&positions, sequences.len()))
}

fn summary(positions: &[TokenDivergence], sequences: usize) -> Divergence {
    let count = positions.len() as f64;
    let mean = |of: fn(&TokenDivergence) -> f64| positions.iter().map(of).sum::<f64>() / count;
    let mut sorted: Vec<f64> = positions.iter().map(|position| position.kl).collect();
    sorted.sort_by(f64::total_cmp);
    let drift = |position: &TokenDivergence| position.other - position.reference;
    let mean_drift = positions.iter().map(drift).sum::<f64>() / count;
    let squares = positions.iter().map(|position| (drift(position) - mean_drift).powi(2));
    Divergence {
        mean_kl: mean(|position| position.kl),
        p99_kl: sorted[(sorted.len() * 99).div_ceil(100) - 1],
        top1_agreement: mean(|position| f64::from(u8::from(position.agrees))),
        mean_drift,
        drift_deviation: (squares.sum::<f64>() / count).sqrt(),
        reference_perplexity: (-mean(|position| position.reference)).exp(),
        perplexity: (-mean(|position| position.other)).exp(),
        sequences,
        scored_tokens: positions.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_every_position_once() {
        let position = |kl: f64| TokenDivergence {
            kl,
            agrees: kl < 90.0,
            reference: -1.0,
            other: -1.0 - kl / 100.0,
        };
        let positions: Vec<_> = (1..=100).map(|kl| position(f64::from(kl))).collect();
        let found = summary(&positions, 4);
        assert!((found.mean_kl - 50.5).abs() < 1e-12);
        assert_eq!(found.p99_kl, 99.0);
        assert!((found.top1_agreement - 0.89).abs() < 1e-12);
        assert!((found.reference_perplexity - 1f64.exp()).abs() < 1e-12);
        assert!((found.perplexity - 1.505f64.exp()).abs() < 1e-12);
        assert!((found.mean_drift + 0.505).abs() < 1e-12);
        // numbers 1 to n: a variance of (n² − 1) / 12
        assert!((found.drift_deviation - (9999f64 / 12.0).sqrt() / 100.0).abs() < 1e-12);
        assert_eq!((found.sequences, found.scored_tokens), (4, 100));
        assert_eq!(summary(&positions[..1], 1).p99_kl, 1.0);
    }
}
