//! Token ids of long texts.

use lm::Tokenizer;
use rayon::prelude::*;

use crate::{Result, spool::Spool};

/// Bytes of the parts that a long text is tokenised in: longer ones take longer a byte, for they leave the
/// caches, and of shorter ones the seams count.
const PART: usize = 1 << 15;

/// Bytes on either side of a seam that are tokenised together to see whether it changes anything.
const AROUND: usize = 256;

/// Places that are tried for one seam.
const TRIES: usize = 8;

/// Bytes of text that are held before they are tokenised.
const HELD: usize = 32 << 20;

/// Token ids of `text` as one string, without special tokens. Long texts are tokenised in parts of
/// `part` bytes at once where the tokenizer shows that cutting there changes nothing; where it does not
/// (a tokenizer without words, say), they are tokenised whole.
fn encode_in_parts(tokenizer: &Tokenizer, text: &str, part: usize) -> Result<Vec<u32>> {
    let mut parts = parts(tokenizer, text, part)?;
    parts.push(text.len());
    encode_parts(tokenizer, text, &parts)
}

/// Where `text` may be cut into parts of about `part` bytes.
fn parts(tokenizer: &Tokenizer, text: &str, part: usize) -> Result<Vec<usize>> {
    let targets: Vec<usize> = (part..text.len()).step_by(part).collect();
    let seams = targets.par_iter().map(|&target| seam(tokenizer, text, target));
    let mut seams: Vec<usize> = seams.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    // parts shorter than the way to a seam find it twice
    seams.sort_unstable();
    seams.dedup();
    Ok(seams)
}

/// Token ids of `text` up to the last of `ends`, cut there.
fn encode_parts(tokenizer: &Tokenizer, text: &str, ends: &[usize]) -> Result<Vec<u32>> {
    let encode = |(index, &end): (usize, &usize)| {
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        tokenizer.encode(&text[start..end], false)
    };
    let tokens = ends.par_iter().enumerate().map(encode);
    Ok(tokens.collect::<lm::Result<Vec<_>>>()?.concat())
}

/// Tokenises a text that comes piece by piece, as [`encode_in_parts`] does the whole. What is held of it is
/// bounded wherever the tokenizer allows cuts.
pub(crate) struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    text: String,
    tokens: Tokens,
    part: usize,
    held: usize,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self::with(tokenizer, PART, HELD)
    }

    fn with(tokenizer: &'a Tokenizer, part: usize, held: usize) -> Self {
        let tokens = Tokens { spool: Spool::new() };
        Self { tokenizer, text: String::new(), tokens, part, held }
    }

    /// Adds the next piece of the text.
    pub(crate) fn push(&mut self, piece: &str) -> Result<()> {
        self.text.push_str(piece);
        if self.text.len() < self.held {
            return Ok(());
        }
        let mut seams = parts(self.tokenizer, &self.text, self.part)?;
        // What is still to come may matter around a seam near the end.
        seams.retain(|seam| seam + AROUND <= self.text.len());
        match seams.last() {
            Some(&last) => {
                self.tokens.push(&encode_parts(self.tokenizer, &self.text, &seams)?)?;
                self.text.drain(..last);
            }
            // Looking for a seam at every piece again would take time that grows with its square.
            None => self.held *= 2,
        }
        Ok(())
    }

    /// The tokens of the whole text.
    pub(crate) fn finish(mut self) -> Result<Tokens> {
        let rest = encode_in_parts(self.tokenizer, &self.text, self.part)?;
        self.tokens.push(&rest)?;
        Ok(self.tokens)
    }
}

/// Token ids of a long text; memory does not grow with their number.
pub(crate) struct Tokens {
    spool: Spool,
}

impl Tokens {
    fn push(&mut self, tokens: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        self.spool.push(&bytes)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        (self.spool.len() / 4) as usize
    }

    /// The `length` tokens from `start` on.
    pub(crate) fn window(&self, start: usize, length: usize) -> Result<Vec<u32>> {
        let bytes = self.spool.read(4 * start as u64, 4 * length)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }
}

/// The first place from `target` on, of a few between words, where a cut changes no token around.
fn seam(tokenizer: &Tokenizer, text: &str, target: usize) -> Result<Option<usize>> {
    let bytes = text.as_bytes();
    let letter = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_alphabetic);
    let between_words = |place: &usize| {
        bytes[*place] == b' ' && letter(place.saturating_sub(1)) && letter(place + 1)
    };
    let most = bytes.len().min(target + AROUND * TRIES);
    for place in (target..most).filter(between_words).take(TRIES) {
        let from = text.floor_char_boundary(place.saturating_sub(AROUND));
        let to = text.floor_char_boundary((place + AROUND).min(text.len()));
        let whole = tokenizer.encode(&text[from..to], false)?;
        let mut cut = tokenizer.encode(&text[from..place], false)?;
        cut.extend(tokenizer.encode(&text[place..to], false)?);
        if whole == cut {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tokenizer(change: impl Fn(&mut serde_json::Value)) -> Tokenizer {
        let mut definition = testkit::tokenizer_json(280);
        change(&mut definition);
        Tokenizer::from_json(definition.to_string().as_bytes(), None, vec![]).unwrap()
    }

    proptest! {
        #[test]
        fn parts_give_the_tokens_of_the_whole(text in "([a-z]{1,9}[ ]{1,2}|[ \n'é0-9.,]{1,4}){0,120}") {
            let with_words = tokenizer(|_| ());
            let with_prefix = tokenizer(|definition| {
                definition["pre_tokenizer"]["add_prefix_space"] = json!(true);
            });
            let without_words = tokenizer(|definition| {
                definition["pre_tokenizer"]["use_regex"] = json!(false);
            });
            for tokenizer in [with_words, with_prefix, without_words] {
                let whole = tokenizer.encode(&text, false).unwrap();
                prop_assert_eq!(&encode_in_parts(&tokenizer, &text, 20).unwrap(), &whole);
                let mut encoder = Encoder::with(&tokenizer, 20, 300);
                for piece in text.split_inclusive(' ') {
                    encoder.push(piece).unwrap();
                }
                let tokens = encoder.finish().unwrap();
                prop_assert_eq!(tokens.window(0, tokens.len()).unwrap(), whole);
            }
        }
    }

    #[test]
    fn parts_of_a_real_text_give_the_tokens_of_the_whole() {
        let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
        let shared: std::path::PathBuf =
            std::env::var_os("SECATEUR_SHARED").map_or_else(beside, Into::into);
        let Ok(text) = std::fs::read_to_string(shared.join("corpora/wikitext2-raw-test.txt"))
        else {
            println!("skipped: {} is not there", shared.display());
            return;
        };
        let text = &text[..text.floor_char_boundary(300_000)];
        for model in ["SmolLM2-135M-Instruct.Q4_1.gguf", "stories260k"] {
            let checkpoint = lm::Checkpoint::open(&shared.join("models").join(model)).unwrap();
            let tokenizer = &checkpoint.tokenizer;
            let whole = tokenizer.encode(text, false).unwrap();
            assert_eq!(encode_in_parts(tokenizer, text, 3000).unwrap(), whole, "{model}");
        }
    }

    #[test]
    fn seams_are_found_between_words_and_refused_where_they_would_show() {
        let text = "the other one and the rest of it ".repeat(40);
        let found = seam(&tokenizer(|_| ()), &text, 600).unwrap().unwrap();
        assert_eq!(&text[found..found + 1], " ");
        assert!((600..620).contains(&found));
        let with_prefix =
            tokenizer(|definition| definition["pre_tokenizer"]["add_prefix_space"] = json!(true));
        // " the" stays as it is, so nothing shows that the tokenizer would add a space elsewhere.
        assert!(seam(&with_prefix, &text, 600).unwrap().is_some());
        assert_eq!(seam(&tokenizer(|_| ()), &"a".repeat(3000), 600).unwrap(), None);
    }
}
