//! How far one model's predictions are from another's.

use compute::{largest, softmax_divergence};

use super::chunks::{Chunk, chunks, groups};
use super::{Options, capacity, run, source::Source};
use crate::{Error, Model, Observer, Result};

/// What two models make of one position of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenDivergence {
    /// Kullback–Leibler divergence KL(reference ‖ other) of the distributions of the next token, in
    /// nats.
    pub kl: f64,
    /// Whether both find the same token most probable.
    pub agrees: bool,
    /// The logarithm of the probability the reference gives the token that follows.
    pub reference: f64,
    /// The logarithm of the probability the other gives it.
    pub other: f64,
}

/// The divergence at every token of every sequence but the last, in order: entry `i` of a sequence
/// speaks of its token `i + 1`, given the tokens before it.
///
/// Logits are in each model's precision, exponentials in `f32`, sums over the vocabulary in `f64`. `options.memory` holds
/// for both models together.
///
/// # Errors
/// When the vocabularies differ in size, or as [`super::log_likelihoods`].
pub fn token_divergences(
    reference: &Model,
    other: &Model,
    sequences: &[&[u32]],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Vec<Vec<TokenDivergence>>> {
    let models = [reference, other];
    let [expected, found] = models.map(|model| model.spec().vocabulary);
    if expected != found {
        return Err(Error::Tokenizer(format!(
            "{} and {} cannot be compared: {expected} and {found} tokens",
            reference.checkpoint().path.display(),
            other.checkpoint().path.display()
        )));
    }
    let chunks = chunks(sequences);
    let capacity = capacity(&models, &chunks, options)?;
    let tokens: usize = chunks.iter().map(Chunk::tokens).sum();
    let layers: usize = models.iter().map(|model| model.spec().blocks.len()).sum();
    observer.started("comparing", (tokens * (layers + 1)) as u64);
    let first = Source::open(reference, options, observer)?;
    let second = Source::open(other, options, observer)?;
    let mut results = vec![Vec::new(); sequences.len()];
    for group in groups(&chunks, capacity) {
        let expected = run(reference, &first, &chunks[group.clone()], observer)?;
        let found = run(other, &second, &chunks[group.clone()], observer)?;
        first.with_head(reference, |reference| {
            second.with_head(other, |other| {
                let states = expected.iter().zip(&found);
                chunks[group].iter().zip(states).try_for_each(|(chunk, states)| {
                    let logits = |rows: std::ops::Range<usize>| {
                        let expected = reference.logits(states.0.view_rows(rows.clone()));
                        [expected, other.logits(states.1.view_rows(rows))]
                    };
                    chunk.each(reference.vocabulary(), logits, compare, &mut results, observer)
                })
            })
        })?;
    }
    observer.finished();
    Ok(results)
}

/// Compares both models' logits of one position; `token` is the one that follows.
fn compare([reference, other]: [&[f32]; 2], token: usize) -> TokenDivergence {
    let found = softmax_divergence(reference, other);
    TokenDivergence {
        kl: found.kl,
        agrees: first_largest(reference) == first_largest(other),
        reference: f64::from(reference[token]) - found.log_sum,
        other: f64::from(other[token]) - found.other_log_sum,
    }
}

/// The place of the largest value, the first of equals.
fn first_largest(values: &[f32]) -> Option<usize> {
    let largest = largest(values);
    values.iter().position(|value| *value == largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(reference: &[f32], other: &[f32]) -> TokenDivergence {
        compare([reference, other], 0)
    }

    #[test]
    fn equal_distributions_do_not_diverge() {
        let found = compared(&[1000.0, 1001.0, 990.0], &[0.0, 1.0, -10.0]);
        assert!(found.kl < 1e-12 && found.agrees, "{found:?}");
        assert!((found.reference - found.other).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn the_divergence_of_two_coins_is_the_textbook_one() {
        let coin = |p: f64| [p.ln() as f32, (1.0 - p).ln() as f32];
        let found = compared(&coin(0.75), &coin(0.4));
        let expected = 0.75 * (0.75f64 / 0.4).ln() + 0.25 * (0.25f64 / 0.6).ln();
        assert!((found.kl - expected).abs() < 1e-6, "{found:?} {expected}");
        assert!(!found.agrees);
        assert!((found.reference - 0.75f64.ln()).abs() < 1e-6);
        assert!((found.other - 0.4f64.ln()).abs() < 1e-6);
    }
}
