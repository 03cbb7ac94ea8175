//! Texts without words.

use super::{Candidate, Filter, Verdict};
use crate::synthesis::SynthesisSettings;

/// Drops texts that the model ended at once.
pub(super) struct Empty;

impl Filter for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn summary(&self) -> &'static str {
        "texts that the model ended at once"
    }

    fn judge(&self, texts: &[&Candidate<'_>], _settings: &SynthesisSettings) -> Vec<Verdict> {
        let verdict = |candidate: &&Candidate<'_>| match candidate.text.written() {
            0 => Verdict::Drop("the model wrote nothing".into()),
            _ => Verdict::Keep,
        };
        texts.iter().map(verdict).collect()
    }
}
