//! Texts that are too short or too long.

use super::{Filter, FilterSettings, Judge, Look, Passage, Verdict};
use crate::Result;

/// Drops texts outside a range of lengths.
pub(super) struct Length;

impl Filter for Length {
    fn name(&self) -> &'static str {
        "length"
    }

    fn summary(&self) -> &'static str {
        "texts with too few or too many characters"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Drops texts with fewer characters than min_characters or more than max_characters.

When to use it
  To keep menus, headings and stubs of web pages out of a stream, or whole books out of a mixture.

Parameters
  min_characters, max_characters (--min-characters, --max-characters): no bounds unless given.

Cost
  None to speak of.

Reference
  Rae et al., Scaling Language Models: Methods, Analysis & Insights from Training Gopher, 2021,
  appendix A (rules of quality, length among them)."
    }

    fn look(&self) -> Look {
        Look::Text
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        let asked = settings.min_characters > 0 || settings.max_characters.is_some();
        Ok(asked.then(|| Box::new(Bounds(settings)) as Box<dyn Judge + 'a>))
    }
}

struct Bounds<'a>(&'a FilterSettings);

impl Judge for Bounds<'_> {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let (least, most) = (self.0.min_characters, self.0.max_characters.unwrap_or(usize::MAX));
        let verdict = |passage: &&Passage<'_>| match passage.text.chars().count() {
            found if found < least => {
                Verdict::Drop(format!("{found} characters, {least} are the least"))
            }
            found if found > most => {
                Verdict::Drop(format!("{found} characters, {most} are the most"))
            }
            _ => Verdict::Keep,
        };
        passages.iter().map(verdict).collect()
    }
}
