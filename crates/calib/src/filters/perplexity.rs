//! Texts the model itself finds improbable.

use super::{Filter, FilterSettings, Judge, Look, Passage, PerplexityBand, Verdict};
use crate::Result;

/// Drops texts outside a band of perplexities, then the share with the highest.
pub(super) struct Perplexity;

impl Filter for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn summary(&self) -> &'static str {
        "texts outside a band of perplexities, and the share the model finds least probable"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Drops texts whose perplexity under the model is outside a band, then, of those that are left, the
  share with the highest. The model's own texts are judged as wholes; of documents the sequences drawn
  from them are, and more are drawn until there are enough.

When to use it
  The share is part of self-generation. It is not neutral: it helps general text and can hurt code and
  mathematics. Texts that loop have a low perplexity; a lower bound, or the filter `repetition`, finds
  them.

Parameters
  drop_share (--drop-share): 0.2 of the model's own texts and none of others unless given.
  perplexity (--perplexity-band LEAST:MOST): all unless given.

Cost
  One forward pass over every sequence of documents that is judged; none for the model's own texts,
  whose tokens are scored as they are written (given tokens are context and not scored).

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025."
    }

    fn look(&self) -> Look {
        Look::Score
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        let asked = settings.dropped() > 0.0 || settings.perplexity.is_some();
        Ok(asked.then(|| Box::new(Ranked(settings)) as Box<dyn Judge + 'a>))
    }
}

struct Ranked<'a>(&'a FilterSettings);

impl Judge for Ranked<'_> {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let perplexities: Vec<f64> = passages.iter().map(|passage| passage.perplexity()).collect();
        let mut verdicts: Vec<Verdict> =
            perplexities.iter().map(|&found| within(self.0.perplexity, found)).collect();
        let mut worst: Vec<usize> =
            (0..passages.len()).filter(|index| verdicts[*index] == Verdict::Keep).collect();
        let (left, share) = (worst.len(), self.0.dropped());
        // The sort is stable: of texts that are level the earlier one goes first.
        worst.sort_by(|left, right| perplexities[*right].total_cmp(&perplexities[*left]));
        worst.truncate((left as f64 * share).floor() as usize);
        for (rank, index) in worst.into_iter().enumerate() {
            let (found, place) = (perplexities[index], rank + 1);
            verdicts[index] = Verdict::Drop(format!(
                "perplexity {found:.2}, number {place} from the top of {left}"
            ));
        }
        verdicts
    }
}

fn within(band: Option<PerplexityBand>, found: f64) -> Verdict {
    match band {
        Some(PerplexityBand { least, most }) if !(least..=most).contains(&found) => {
            Verdict::Drop(format!("perplexity {found:.2}, {least} to {most} are kept"))
        }
        _ => Verdict::Keep,
    }
}
