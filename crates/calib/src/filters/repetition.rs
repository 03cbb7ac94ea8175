//! Texts that loop.

use std::collections::HashSet;

use super::{Filter, FilterSettings, Judge, Look, Passage, Verdict};
use crate::Result;

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

    fn explanation(&self) -> &'static str {
        "\
What it does
  Drops texts of whose runs of ngram tokens more than a share occurred in them before.

When to use it
  Always with self-generation: a model that loops writes texts of low perplexity, which the filter
  `perplexity` keeps.

Parameters
  repetition: ngram (--repeat-length) 8; share (--repeat-share) 0.2 of the model's own texts and any of
  others unless given.

Cost
  None to speak of for the model's own texts. Documents are tokenised to be judged.

Reference
  Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020 (texts that loop)."
    }

    fn look(&self) -> Look {
        Look::Tokens
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        let ngram = settings.repetition.ngram;
        let most = settings.repetition.share.filter(|share| *share < 1.0);
        Ok(most.map(|most| Box::new(Runs { ngram, most }) as Box<dyn Judge + 'a>))
    }
}

struct Runs {
    ngram: usize,
    most: f64,
}

impl Judge for Runs {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let verdict = |passage: &&Passage<'_>| {
            let share = repeated_share(passage.tokens, self.ngram);
            if share <= self.most {
                return Verdict::Keep;
            }
            Verdict::Drop(format!(
                "{:.1} % of its runs of {} tokens occurred in it before, {:.1} % are allowed",
                100.0 * share,
                self.ngram,
                100.0 * self.most
            ))
        };
        passages.iter().map(verdict).collect()
    }
}

/// Share of the runs of `ngram` tokens that occurred earlier in `tokens`; `0` for a text of fewer.
pub(crate) fn repeated_share(tokens: &[u32], ngram: usize) -> f64 {
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
