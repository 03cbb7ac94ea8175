//! The filters that were asked for, one after the other.

use super::{Dropped, FILTERS, FilterSettings, Judge, Look, Passage, Verdict};
use crate::Result;

/// Characters of a text that are shown.
const EXCERPT: usize = 80;

/// The judges that were asked for, in the order of the registry.
pub(crate) struct Panel<'a> {
    judges: Vec<(&'static str, Look, Box<dyn Judge + 'a>)>,
}

impl<'a> Panel<'a> {
    /// The judges of `settings` that look at one of `looks`.
    ///
    /// # Errors
    /// When a file that the settings name cannot be read.
    pub(crate) fn new(settings: &'a FilterSettings, looks: &[Look]) -> Result<Self> {
        let mut judges = Vec::new();
        for filter in FILTERS.iter().filter(|filter| looks.contains(&filter.look())) {
            if let Some(judge) = filter.judge(settings)? {
                judges.push((filter.name(), filter.look(), judge));
            }
        }
        Ok(Self { judges })
    }

    /// Whether a judge looks at `look`.
    pub(crate) fn looks_at(&self, look: Look) -> bool {
        self.judges.iter().any(|(_, one, _)| *one == look)
    }

    /// Forgets what was judged before.
    pub(crate) fn reset(&mut self) {
        self.judges.iter_mut().for_each(|(_, _, judge)| judge.reset());
    }

    /// The indices of those that every judge keeps, and what became of the others.
    pub(crate) fn judge(&mut self, passages: &[Passage<'_>]) -> (Vec<usize>, Vec<Dropped>) {
        let mut kept: Vec<usize> = (0..passages.len()).collect();
        let mut dropped = Vec::new();
        for (filter, _, judge) in &mut self.judges {
            let left: Vec<&Passage<'_>> = kept.iter().map(|&index| &passages[index]).collect();
            let mut verdicts = judge.judge(&left).into_iter();
            kept.retain(|&index| match verdicts.next() {
                None | Some(Verdict::Keep) => true,
                Some(Verdict::Drop(reason)) => {
                    let Passage { number, text, .. } = passages[index];
                    let filter = (*filter).to_owned();
                    dropped.push(Dropped { text: number, filter, reason, excerpt: excerpt(text) });
                    false
                }
            });
        }
        (kept, dropped)
    }
}

/// How a text begins, in one line.
fn excerpt(text: &str) -> String {
    let words = text.split_whitespace().flat_map(|word| word.chars().chain([' ']));
    let mut excerpt: String = words.take(EXCERPT).collect();
    if excerpt.len() < text.trim().len() {
        excerpt.push('…');
    }
    excerpt.trim_end().to_owned()
}
