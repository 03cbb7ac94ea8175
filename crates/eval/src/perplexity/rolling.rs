//! Perplexity of whole documents, as lm-evaluation-harness measures it.

use lm::scoring::{self, Options, Request};
use lm::{Model, Observer};

use super::{Documents, Perplexity};
use crate::scorer::PairEncoder;
use crate::tasks::text::is_space;
use crate::{Error, Result};

/// Log-likelihood and tokens of one document.
struct Scored {
    sum: f64,
    tokens: usize,
}

/// Perplexity of every token of `texts`, each scored on its own, and of every word and byte of the
/// `documents` they were made of.
pub(super) fn rolling(
    model: &Model,
    (texts, documents): (&[String], &[String]),
    window: usize,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Perplexity> {
    let encoder = PairEncoder::new(&model.checkpoint().tokenizer, model.spec().context)?;
    let prefix = encoder.prefix().ok_or(Error::NoPrefix)?;
    let tokens = |text: &String| Ok([vec![prefix], encoder.encode(text)?].concat());
    let tokens: Vec<Vec<u32>> = texts.iter().map(tokens).collect::<Result<_>>()?;
    let each: Vec<Vec<Request<'_>>> = tokens.iter().map(|t| requests(t, window)).collect();
    let found = scoring::continuations(model, &each.concat(), options, observer)?;
    let mut found = found.into_iter();
    let scored = each.iter().zip(&tokens).map(|(requests, tokens)| Scored {
        sum: found.by_ref().take(requests.len()).map(|found| found.log_likelihood).sum(),
        tokens: tokens.len() - 1,
    });
    let scored: Vec<Scored> = scored.collect();
    let scored_tokens = scored.iter().map(|document| document.tokens).sum();
    let sum: f64 = scored.iter().map(|document| document.sum).sum();
    let bos = model.checkpoint().tokenizer.bos;
    Ok(Perplexity {
        perplexity: (-sum / scored_tokens as f64).exp(),
        mean_loss: -sum / scored_tokens as f64,
        window,
        stride: None,
        windows: each.iter().map(Vec::len).sum(),
        scored_tokens,
        text_tokens: scored_tokens,
        bos: bos.is_some() && tokens.iter().any(|tokens| tokens.get(1) == bos.as_ref()),
        documents: Some(figures(documents, &scored, sum)),
    })
}

/// Refuses a tokenizer that has no token to begin with.
pub(super) fn check(model: &Model) -> Result<()> {
    let encoder = PairEncoder::new(&model.checkpoint().tokenizer, model.spec().context)?;
    encoder.prefix().map(|_| ()).ok_or(Error::NoPrefix)
}

/// Windows over `[prefix, document]` that score every token of the document once: `window` tokens
/// run in each, the last is filled up on its left.
fn requests(tokens: &[u32], window: usize) -> Vec<Request<'_>> {
    let mut requests = Vec::new();
    let mut scored = 0;
    while scored < tokens.len() - 1 {
        let new = window.min(tokens.len() - 1 - scored);
        let end = scored + new + 1;
        let start = end.saturating_sub(window + 1);
        requests.push(Request { tokens: &tokens[start..end], scored: new });
        scored += new;
    }
    requests
}

fn figures(documents: &[String], scored: &[Scored], sum: f64) -> Documents {
    let words = documents.iter().map(|text| words(text)).sum();
    let bytes = documents.iter().map(String::len).sum();
    let own = |document: &Scored| (-document.sum / document.tokens as f64).exp();
    let full = scored.iter().filter(|document| document.tokens > 0);
    Documents {
        count: documents.len(),
        mean_perplexity: full.clone().map(own).sum::<f64>() / full.count() as f64,
        words,
        bytes,
        detokenised: false,
        word_perplexity: (-sum / words as f64).exp(),
        byte_perplexity: (-sum / bytes as f64).exp(),
        bits_per_byte: -sum / bytes as f64 / std::f64::consts::LN_2,
    }
}

/// `len(re.split(r"\s+", text))`.
fn words(text: &str) -> usize {
    let mut before = false;
    let begins = |letter: char| {
        let begins = is_space(letter) && !before;
        before = is_space(letter);
        begins
    };
    1 + text.chars().map(begins).filter(|begins| *begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_python_splits_them() {
        for (text, expected) in [("a b", 2), ("a  \n b", 2), (" a b ", 4), ("", 1), ("\n", 2)] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn windows_are_those_of_the_harness() {
        // lm_eval.utils.get_rolling_token_windows of 10 tokens, 4 at a time, one of context
        let tokens: Vec<u32> = (100..111).collect();
        let cut = |tokens, window| -> Vec<(Vec<u32>, usize)> {
            let of = |request: &Request<'_>| (request.tokens.to_vec(), request.scored);
            requests(tokens, window).iter().map(of).collect()
        };
        let expected = [
            (vec![100, 101, 102, 103, 104], 4),
            (vec![104, 105, 106, 107, 108], 4),
            (vec![106, 107, 108, 109, 110], 2),
        ];
        assert_eq!(cut(&tokens, 4), expected);
        assert_eq!(cut(&tokens[..3], 4), [(vec![100, 101, 102], 2)]);
        assert!(cut(&tokens[..1], 4).is_empty());
    }

    #[test]
    fn figures_are_per_word_byte_and_document() {
        let documents = ["ab cd".to_owned(), "e".to_owned()];
        let scored = [Scored { sum: -4.0, tokens: 2 }, Scored { sum: -3.0, tokens: 1 }];
        let found = figures(&documents, &scored, -7.0);
        assert_eq!((found.count, found.words, found.bytes), (2, 3, 6));
        assert!((found.word_perplexity - (7f64 / 3.0).exp()).abs() < 1e-12);
        assert!((found.byte_perplexity - (7f64 / 6.0).exp()).abs() < 1e-12);
        assert!((found.bits_per_byte - 7.0 / 6.0 / 2f64.ln()).abs() < 1e-12);
        assert!((found.mean_perplexity - (2f64.exp() + 3f64.exp()) / 2.0).abs() < 1e-12);
    }
}
