//! Texts that a model is judged on later.

use std::{collections::HashSet, path::Path};

use super::{Filter, FilterSettings, Judge, Look, Passage, Verdict, words};
use crate::Result;

/// Drops texts that share a run of words with the files the user names.
pub(super) struct Excluded;

impl Filter for Excluded {
    fn name(&self) -> &'static str {
        "excluded"
    }

    fn summary(&self) -> &'static str {
        "texts that share a run of words with the evaluation files the user names"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Reads the files that --exclude names, every text of every record, and drops calibration texts that
  share a run of exclude_words words with one of them. Case, punctuation and white space do not count.

When to use it
  Whenever the pruned model is to be judged on texts or tasks that calibration data collected from the
  web may contain.

Parameters
  exclude (--exclude, once for every file): files, folders or patterns of any known format.
  exclude_words (--exclude-words): 13. Texts of fewer words are recognised only as a whole, where a
  calibration text is nothing else.

Cost
  Eight bytes of memory for every word of the files, and one look at every word of the source.

Reference
  Brown et al., Language Models are Few-Shot Learners, 2020, appendix C (runs of 13 words)."
    }

    fn look(&self) -> Look {
        Look::Text
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        if settings.exclude.is_empty() {
            return Ok(None);
        }
        let mut index = Index { runs: HashSet::new(), count: settings.exclude_words };
        settings.exclude.iter().try_for_each(|path| index.read(path))?;
        Ok(Some(Box::new(index)))
    }
}

struct Index {
    runs: HashSet<u64>,
    count: usize,
}

impl Index {
    fn read(&mut self, path: &Path) -> Result<()> {
        for file in data::files(path)? {
            let fields = data::formats::find(&file)?.has_fields();
            let field = fields.then(|| "*".to_owned());
            for document in data::open(&file, &data::Options { field, ..Default::default() })? {
                self.runs.extend(words::runs(&words::words(&document?.text), self.count));
            }
        }
        Ok(())
    }
}

impl Judge for Index {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let verdict = |passage: &&Passage<'_>| {
            let found = words::runs(&words::words(passage.text), self.count)
                .filter(|run| self.runs.contains(run))
                .count();
            match found {
                0 => Verdict::Keep,
                found => Verdict::Drop(format!(
                    "{found} of its runs of {} words stand in the texts to be excluded",
                    self.count
                )),
            }
        };
        passages.iter().map(verdict).collect()
    }
}
