//! Perplexity of windows that overlap.

use lm::scoring::{self, Options, Request};
use lm::{Model, Observer};

use super::Perplexity;
use crate::{Error, Result};

/// Perplexity of `text`, tokenised once, in windows that begin every `stride` tokens; the last may
/// be shorter. Of each window the tokens are scored that the one before did not reach.
pub(super) fn strided(
    model: &Model,
    text: &str,
    (window, stride): (usize, usize),
    options: &Options,
    observer: &dyn Observer,
) -> Result<Perplexity> {
    let tokenizer = &model.checkpoint().tokenizer;
    let tokens = tokenizer.encode(text, true)?;
    let requests = requests(&tokens, window, stride);
    let found = scoring::continuations(model, &requests, options, observer)?;
    let scored_tokens = requests.iter().map(|request| request.scored).sum();
    let sum: f64 = found.iter().map(|found| found.log_likelihood).sum();
    let mean_loss = -sum / scored_tokens as f64;
    Ok(Perplexity {
        perplexity: mean_loss.exp(),
        mean_loss,
        window,
        stride: Some(stride),
        windows: requests.len(),
        scored_tokens,
        text_tokens: tokens.len(),
        bos: tokenizer.bos.is_some() && tokens.first() == tokenizer.bos.as_ref(),
        documents: None,
    })
}

/// Refuses a stride that leaves tokens out, and a text shorter than a window.
pub(super) fn check(model: &Model, text: &str, (window, stride): (usize, usize)) -> Result<()> {
    if stride == 0 || stride > window {
        return Err(Error::Stride { stride, window });
    }
    super::windows::check(model, text, window)
}

fn requests(tokens: &[u32], window: usize, stride: usize) -> Vec<Request<'_>> {
    let mut requests = Vec::new();
    let (mut start, mut reached) = (0, 1); // nothing predicts the first token
    while reached < tokens.len() {
        let end = tokens.len().min(start + window);
        // a window beside the one before has nothing before its own first token
        let scored = (end - reached).min(end - start - 1);
        if scored > 0 {
            requests.push(Request { tokens: &tokens[start..end], scored });
        }
        reached = end;
        start += stride;
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokens: u32, window: usize, stride: usize) -> Vec<(u32, usize, usize)> {
        let tokens: Vec<u32> = (0..tokens).collect();
        let of = |request: &Request<'_>| (request.tokens[0], request.tokens.len(), request.scored);
        requests(&tokens, window, stride).iter().map(of).collect()
    }

    #[test]
    fn every_token_but_the_first_is_scored_once() {
        assert_eq!(cut(10, 4, 2), [(0, 4, 3), (2, 4, 2), (4, 4, 2), (6, 4, 2)]);
        assert_eq!(cut(9, 4, 2), [(0, 4, 3), (2, 4, 2), (4, 4, 2), (6, 3, 1)]);
        assert_eq!(cut(4, 4, 1), [(0, 4, 3)]);
    }

    #[test]
    fn windows_side_by_side_score_all_but_their_first_token() {
        assert_eq!(cut(9, 4, 4), [(0, 4, 3), (4, 4, 3)]);
        assert_eq!(cut(10, 4, 4), [(0, 4, 3), (4, 4, 3), (8, 2, 1)]);
    }
}
