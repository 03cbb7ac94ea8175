//! Runs of words as numbers.

use compute::mix;

/// The words of a text as numbers: runs of letters and digits in lower case; every character of a
/// script that is written without spaces is a word.
pub(super) fn words(text: &str) -> Vec<u64> {
    let mut words = Vec::new();
    let mut word = None;
    for character in text.chars() {
        if stands_alone(character) {
            words.extend(word.take());
            words.push(mix(u64::from(character)));
        } else if character.is_alphanumeric() {
            let lower = character.to_lowercase().fold(word.unwrap_or(0), |hash, letter| {
                mix(hash ^ u64::from(letter)).wrapping_add(1)
            });
            word = Some(lower);
        } else {
            words.extend(word.take());
        }
    }
    words.extend(word);
    words
}

/// Every run of `count` words as a number; one of all words where there are fewer.
pub(super) fn runs(words: &[u64], count: usize) -> impl Iterator<Item = u64> {
    let fold = |run: &[u64]| run.iter().fold(0, |hash, word| mix(hash ^ word).wrapping_add(1));
    words.windows(count.min(words.len()).max(1)).map(fold)
}

/// Whether a character is a word by itself: ideographs, kana, hangul, Thai, Lao, Khmer, Burmese.
fn stands_alone(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x2E80..=0x2FDF | 0x3040..=0x30FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF
        | 0x20000..=0x3FFFF)
        && character.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_ignore_case_and_what_stands_between() {
        assert_eq!(words("The cat's  hat!"), words("the\nCAT s «hat»"));
        assert_eq!(words("東京 2020").len(), 3);
        assert_eq!(words("").len() + words("… — !").len(), 0);
        assert_ne!(words("ab c"), words("a bc"));
    }

    #[test]
    fn runs_are_windows_of_words() {
        let text = words("one two three four one two three");
        let runs: Vec<u64> = runs(&text, 3).collect();
        assert_eq!((runs.len(), runs[0] == runs[4], runs[0] == runs[1]), (5, true, false));
        assert_eq!(super::runs(&text[..2], 3).count(), 1);
        assert_eq!(super::runs(&[], 3).count(), 0);
    }
}
