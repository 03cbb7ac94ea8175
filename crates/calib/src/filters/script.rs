//! Texts in another script.

use unicode_script::{Script, UnicodeScript};

use super::{Filter, FilterSettings, Judge, Look, Passage, Verdict};
use crate::{Error, Result};

/// Drops texts of whose letters too few are of a script.
pub(super) struct ScriptShare;

impl Filter for ScriptShare {
    fn name(&self) -> &'static str {
        "script"
    }

    fn summary(&self) -> &'static str {
        "texts of whose letters too few are of the script asked for"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Drops texts of whose letters fewer than the share script_share are of the script asked for. Digits,
  punctuation and white space do not count; a text without letters is dropped.

When to use it
  Where a source or a model mixes languages and the calibration data is to have one script.

Parameters
  script (--script): a Unicode name such as Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Han,
  Hiragana, Hangul or Thai. script_share (--script-share): 0.8.

Cost
  One look at every character.

Reference
  Unicode Standard Annex 24, Unicode Script Property."
    }

    fn look(&self) -> Look {
        Look::Text
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        let Some(name) = &settings.script else { return Ok(None) };
        let (script, least) = (named(name)?, settings.script_share);
        Ok(Some(Box::new(Share { script, least })))
    }
}

/// The script called `name`, in any case.
pub(super) fn named(name: &str) -> Result<Script> {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|l| l.to_ascii_lowercase())).collect::<String>()
    };
    let full: Vec<String> = name.split(['_', ' ', '-']).map(word).collect();
    Script::from_full_name(&full.join("_")).ok_or_else(|| {
        let problem = format!(
            "a Unicode script such as Latin, Cyrillic, Arabic, Devanagari or Han expected, {name:?} \
             found"
        );
        Error::setting("script", problem)
    })
}

struct Share {
    script: Script,
    least: f64,
}

impl Judge for Share {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let verdict = |passage: &&Passage<'_>| {
            let share = share(passage.text, self.script);
            match share {
                Some(share) if share >= self.least => Verdict::Keep,
                Some(share) => Verdict::Drop(format!(
                    "{:.0} % of its letters are {}, {:.0} % are asked for",
                    100.0 * share,
                    self.script.full_name(),
                    100.0 * self.least
                )),
                None => Verdict::Drop("it has no letters".into()),
            }
        };
        passages.iter().map(verdict).collect()
    }
}

/// The share of the letters of `text` that are of `script`; nothing where it has none.
fn share(text: &str, script: Script) -> Option<f64> {
    let mut counts = [0usize; 2];
    for letter in text.chars().filter(|character| character.is_alphabetic()) {
        match letter.script() {
            Script::Common | Script::Inherited => {}
            found => counts[usize::from(found == script)] += 1,
        }
    }
    let letters = counts[0] + counts[1];
    (letters > 0).then(|| counts[1] as f64 / letters as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_by_script() {
        let latin = named("latin").unwrap();
        assert_eq!(share("Smörgåsbord, 123!", latin), Some(1.0));
        assert_eq!(share("ab где", latin), Some(0.4));
        assert_eq!(share("123 ...", latin), None);
        assert_eq!(named("OLD_ITALIC").unwrap(), Script::Old_Italic);
        let message = named("klingon").unwrap_err().to_string();
        assert!(message.contains("\"klingon\" found"), "{message}");
    }
}
