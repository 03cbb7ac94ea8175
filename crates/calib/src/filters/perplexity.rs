//! Texts the model itself finds improbable.

use super::{Candidate, Filter, Verdict};
use crate::synthesis::SynthesisSettings;

/// Drops the share of texts with the highest perplexity under the model that wrote them.
pub(super) struct Perplexity;

impl Filter for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn summary(&self) -> &'static str {
        "the share of texts that the model itself finds least probable"
    }

    fn judge(&self, texts: &[&Candidate<'_>], settings: &SynthesisSettings) -> Vec<Verdict> {
        let count = (texts.len() as f64 * settings.drop_share).floor() as usize;
        let mut worst: Vec<usize> = (0..texts.len()).collect();
        // The sort is stable: of texts that are level the earlier one goes first.
        worst.sort_by(|left, right| {
            texts[*right].perplexity().total_cmp(&texts[*left].perplexity())
        });
        let mut verdicts = vec![Verdict::Keep; texts.len()];
        for (rank, &index) in worst[..count].iter().enumerate() {
            verdicts[index] = Verdict::Drop(format!(
                "perplexity {:.2}, number {} from the top of {}",
                texts[index].perplexity(),
                rank + 1,
                texts.len()
            ));
        }
        verdicts
    }
}
