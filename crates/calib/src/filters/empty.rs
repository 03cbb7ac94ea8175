//! Texts without words.

use super::{Filter, FilterSettings, Judge, Look, Passage, Verdict};
use crate::Result;

/// Drops texts that the model ended at once.
pub(super) struct Empty;

impl Filter for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn summary(&self) -> &'static str {
        "texts that the model ended at once"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Drops texts of which the model wrote no token.

When to use it
  Always: it cannot be switched off.

Parameters
  None.

Cost
  None to speak of.

Reference
  None."
    }

    fn look(&self) -> Look {
        Look::Text
    }

    fn judge<'a>(&self, _settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        Ok(Some(Box::new(Empty)))
    }
}

impl Judge for Empty {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let verdict = |passage: &&Passage<'_>| match passage.written {
            Some(0) => Verdict::Drop("the model wrote nothing".into()),
            _ => Verdict::Keep,
        };
        passages.iter().map(verdict).collect()
    }
}
