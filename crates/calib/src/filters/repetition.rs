//! Texts that loop.

use std::collections::HashSet;

use super::{Candidate, Filter, Verdict};
use crate::synthesis::SynthesisSettings;

/// Drops texts that say the same again and again. Loops have a low perplexity, so the perplexity
/// filter keeps them.
pub(super) struct RepeatedRuns;

impl Filter for RepeatedRuns {
    fn name(&self) -> &'static str {
        "repetition"
    }

    fn summary(&self) -> &'static str {
        "texts in which too many runs of tokens occurred before"
    }

    fn judge(&self, texts: &[&Candidate<'_>], settings: &SynthesisSettings) -> Vec<Verdict> {
        let limit = settings.repetition;
        let verdict = |candidate: &&Candidate<'_>| {
            let share = repeated_share(candidate.text.body(), limit.ngram);
            if share <= limit.share {
                return Verdict::Keep;
            }
            Verdict::Drop(format!(
                "{:.1} % of its runs of {} tokens occurred in it before, {:.1} % are allowed",
                100.0 * share,
                limit.ngram,
                100.0 * limit.share
            ))
        };
        texts.iter().map(verdict).collect()
    }
}

/// Share of the runs of `ngram` tokens that occurred earlier in `tokens`; `0` for a text of fewer.
fn repeated_share(tokens: &[u32], ngram: usize) -> f64 {
    let runs = (tokens.len() + 1).saturating_sub(ngram);
    if runs == 0 {
        return 0.0;
    }
    let distinct: HashSet<&[u32]> = tokens.windows(ngram).collect();
    (runs - distinct.len()) as f64 / runs as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_told_from_text() {
        let text: Vec<u32> = (0..100).collect();
        assert_eq!(repeated_share(&text, 8), 0.0);
        let looping: Vec<u32> = (0..100).map(|position| position % 10).collect();
        // Ten of the 93 runs are new.
        assert_eq!(repeated_share(&looping, 8), 83.0 / 93.0);
        let constant = [7; 20];
        assert_eq!(repeated_share(&constant, 8), 12.0 / 13.0);
        assert_eq!(repeated_share(&constant[..7], 8), 0.0);
        assert_eq!(repeated_share(&[], 8), 0.0);
    }

    #[test]
    fn a_refrain_is_no_loop() {
        let refrain: Vec<u32> = (1000..1008).collect();
        let verse = |number: u32| (number * 40..number * 40 + 40).chain(refrain.iter().copied());
        let song: Vec<u32> = (0..8).flat_map(verse).collect();
        let share = repeated_share(&song, 8);
        assert!(share > 0.01 && share < 0.05, "{share}");
    }
}
