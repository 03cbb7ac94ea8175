//! Texts that were there before.

use std::collections::HashMap;

use compute::mix;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{Duplicates, Filter, FilterSettings, Judge, Look, Passage, Verdict, words};
use crate::Result;

/// Words in the runs that are compared.
const RUN: usize = 5;

/// Numbers of a signature.
const HASHES: usize = 128;

/// Numbers of a band: texts that agree in all of one band are compared.
const BAND: usize = 4;

/// Drops texts that were there before, exactly or nearly.
pub(super) struct NoDuplicates;

impl Filter for NoDuplicates {
    fn name(&self) -> &'static str {
        "duplicates"
    }

    fn summary(&self) -> &'static str {
        "texts that were there before, exactly or nearly"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  exact: drops texts that are the same as an earlier one, white space around them aside. near: also
  drops texts whose runs of five words are, for the most part, those of an earlier one. The share two
  texts have in common (their Jaccard index) is estimated from the 128 least of as many hashes of
  their runs; pairs to be compared are found by 32 bands of four.

When to use it
  near: with text from the web or from a model, where much is said again with small changes.

Parameters
  duplicates (--duplicates): keep (default), exact or near. near_share (--near-share): 0.8; the
  estimate is off by 0.035 at most in two of three cases.

Cost
  near: some 50 MB of text a second on one core, and one to two kilobytes of memory for every text
  that is kept.

Reference
  Broder, On the Resemblance and Containment of Documents, 1997. Lee et al., Deduplicating Training
  Data Makes Language Models Better, ACL 2022."
    }

    fn look(&self) -> Look {
        Look::Text
    }

    fn judge<'a>(&self, settings: &'a FilterSettings) -> Result<Option<Box<dyn Judge + 'a>>> {
        let share = settings.near_share;
        Ok(match settings.duplicates {
            Duplicates::Keep => None,
            Duplicates::Exact => Some(Box::new(Exact::default())),
            Duplicates::Near => Some(Box::new(Near { share, ..Near::default() })),
        })
    }
}

#[derive(Default)]
struct Exact {
    seen: HashMap<[u8; 32], u64>,
}

impl Judge for Exact {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let digests: Vec<[u8; 32]> =
            passages.par_iter().map(|passage| Sha256::digest(passage.text.trim()).into()).collect();
        let verdict = |(passage, digest): (&&Passage<'_>, [u8; 32])| match self.seen.get(&digest) {
            Some(earlier) => Verdict::Drop(format!("the same as text {earlier}")),
            None => {
                self.seen.insert(digest, passage.number);
                Verdict::Keep
            }
        };
        passages.iter().zip(digests).map(verdict).collect()
    }

    fn reset(&mut self) {
        self.seen.clear();
    }
}

/// The least of many hashes of a text's runs of words.
type Signature = Box<[u32; HASHES]>;

#[derive(Default)]
struct Near {
    share: f64,
    kept: Vec<(u64, Signature)>,
    /// Texts by what stands in a band.
    bands: HashMap<u64, Vec<u32>>,
}

impl Near {
    /// The kept text most like this one, and the share they have in common.
    fn nearest(&self, signature: &Signature) -> Option<(u64, f64)> {
        let mut alike: Vec<u32> =
            keys(signature).filter_map(|key| self.bands.get(&key)).flatten().copied().collect();
        alike.sort_unstable();
        alike.dedup();
        let compared = alike.into_iter().map(|index| {
            let (number, other) = &self.kept[index as usize];
            (*number, common(signature, other))
        });
        // of texts equally near the first
        compared.fold(None, |best: Option<(u64, f64)>, one| match best {
            Some(best) if best.1 >= one.1 => Some(best),
            _ => Some(one),
        })
    }

    fn keep(&mut self, number: u64, signature: Signature) {
        let index = self.kept.len() as u32;
        for key in keys(&signature) {
            self.bands.entry(key).or_default().push(index);
        }
        self.kept.push((number, signature));
    }
}

impl Judge for Near {
    fn judge(&mut self, passages: &[&Passage<'_>]) -> Vec<Verdict> {
        let signatures: Vec<Option<Signature>> =
            passages.par_iter().map(|passage| signature(passage.text)).collect();
        let mut verdict = |(passage, signature): (&&Passage<'_>, Option<Signature>)| {
            let Some(signature) = signature else { return Verdict::Keep };
            match self.nearest(&signature) {
                Some((earlier, share)) if share >= self.share => Verdict::Drop(format!(
                    "about {:.0} % of its runs of {RUN} words are those of text {earlier}",
                    100.0 * share
                )),
                _ => {
                    self.keep(passage.number, signature);
                    Verdict::Keep
                }
            }
        };
        passages.iter().zip(signatures).map(&mut verdict).collect()
    }

    fn reset(&mut self) {
        self.kept.clear();
        self.bands.clear();
    }
}

/// The signature of a text; nothing where it has no words.
fn signature(text: &str) -> Option<Signature> {
    let mut least = Box::new([u32::MAX; HASHES]);
    let words = words::words(text);
    for run in words::runs(&words, RUN) {
        for (place, least) in least.iter_mut().enumerate() {
            let key = (place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let hash = mix(run.wrapping_add(key));
            *least = (*least).min((hash >> 32) as u32);
        }
    }
    (!words.is_empty()).then_some(least)
}

/// What stands in every band of a signature, the band's number mixed in.
fn keys(signature: &Signature) -> impl Iterator<Item = u64> {
    signature.as_chunks::<BAND>().0.iter().enumerate().map(|(band, numbers)| {
        numbers.iter().fold(mix(band as u64), |key, number| mix(key ^ u64::from(*number)))
    })
}

/// The share of the numbers that two signatures have in common: an estimate of the Jaccard index.
fn common(one: &Signature, other: &Signature) -> f64 {
    let equal = one.iter().zip(other.iter()).filter(|(left, right)| left == right).count();
    equal as f64 / HASHES as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(duplicates: Duplicates, texts: &[&str]) -> Vec<Verdict> {
        let settings = FilterSettings { duplicates, ..FilterSettings::default() };
        let mut judge = NoDuplicates.judge(&settings).unwrap().unwrap();
        let mut verdicts = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let number = number as u64;
            let passage = Passage { number, text, tokens: &[], written: None, score: None };
            verdicts.extend(judge.judge(&[&passage]));
        }
        verdicts
    }

    fn text(words: std::ops::Range<u32>) -> String {
        words.map(|word| format!("word{word} ")).collect()
    }

    #[test]
    fn the_same_text_is_found_again() {
        let found = verdicts(Duplicates::Exact, &["a b", "c", " a b\n", "A b"]);
        let same = Verdict::Drop("the same as text 0".into());
        assert_eq!(found, [Verdict::Keep, Verdict::Keep, same, Verdict::Keep]);
    }

    #[test]
    fn a_text_that_was_changed_a_little_is_found_again() {
        let original = text(0..300);
        let other = text(1000..1300);
        let changed = original.replace("word150 ", "another ");
        let longer = format!("{original} and a sentence more at its end");
        let half = format!("{} {}", text(0..150), text(2000..2150));
        let texts: [&str; 6] = [&original, &other, &changed, &longer, &half, ""];
        let found = verdicts(Duplicates::Near, &texts);
        let kept: Vec<bool> = found.iter().map(|verdict| *verdict == Verdict::Keep).collect();
        assert_eq!(kept, [true, true, false, false, true, true], "{found:?}");
        let Verdict::Drop(reason) = &found[2] else { panic!("{found:?}") };
        assert!(reason.contains("are those of text 0"), "{reason}");
    }

    #[test]
    fn the_share_in_common_is_estimated() {
        let (one, other) =
            (signature(&text(0..1000)).unwrap(), signature(&text(500..1500)).unwrap());
        // 496 of 1,496 runs
        assert!((common(&one, &other) - 496.0 / 1496.0).abs() < 0.1);
        assert_eq!(common(&one, &one), 1.0);
    }
}
