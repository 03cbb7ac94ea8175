//! Perplexity by the standard protocol.

use lm::scoring::{self, Options};
use lm::{Model, Observer};

use super::Perplexity;
use crate::{Error, Result};

/// Perplexity of `text`: tokenised once, cut into windows of `window` tokens that do not overlap,
/// the tail dropped, every token of a window but the first scored, `exp` of the mean.
///
/// # Errors
/// When the text is shorter than a window, the window does not fit the model, the model cannot be
/// read, or the observer cancels.
pub fn perplexity(
    model: &Model,
    text: &str,
    window: usize,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Perplexity> {
    let context = model.spec().context;
    if window < 2 || window > context {
        return Err(Error::Window { window, context });
    }
    let tokenizer = &model.checkpoint().tokenizer;
    let tokens = tokenizer.encode(text, true)?;
    let windows: Vec<&[u32]> = tokens.chunks_exact(window).collect();
    if windows.is_empty() {
        return Err(Error::TooShort { tokens: tokens.len(), window });
    }
    let scores = scoring::log_likelihoods(model, &windows, options, observer)?;
    let scored_tokens = scores.iter().map(|score| score.tokens).sum();
    let mean_loss = -scores.iter().map(|score| score.sum).sum::<f64>() / scored_tokens as f64;
    Ok(Perplexity {
        perplexity: mean_loss.exp(),
        mean_loss,
        window,
        stride: None,
        windows: windows.len(),
        scored_tokens,
        text_tokens: tokens.len(),
        bos: tokenizer.bos.is_some() && tokens.first() == tokenizer.bos.as_ref(),
        documents: None,
    })
}

/// Refuses a text shorter than a window.
pub(super) fn check(model: &Model, text: &str, window: usize) -> Result<()> {
    let tokens = model.checkpoint().tokenizer.encode(text, true)?.len();
    if tokens < window { Err(Error::TooShort { tokens, window }) } else { Ok(()) }
}
