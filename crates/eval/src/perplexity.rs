//! Perplexity by the standard protocol.

use std::path::Path;

use lm::scoring::{self, Options};
use lm::{Model, Observer};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A perplexity with everything needed to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// `exp` of the mean loss.
    pub perplexity: f64,
    /// Mean negative log-likelihood of the scored tokens, in nats.
    pub mean_loss: f64,
    /// Tokens in a window.
    pub window: usize,
    /// Windows scored.
    pub windows: usize,
    /// Tokens scored: all but the first of every window.
    pub scored_tokens: usize,
    /// Tokens of the text; those after the last full window are dropped.
    pub text_tokens: usize,
    /// Whether the tokenizer put a beginning-of-text token before the text (never before a window).
    pub bos: bool,
}

/// The text of a file as the protocol scores it: documents joined by two newlines.
///
/// # Errors
/// When the file cannot be read as text.
pub fn text_of(path: &Path) -> Result<String> {
    let documents = data::open(path, &data::Options::default())?;
    let texts = documents.map(|document| document.map(|document| document.text));
    Ok(texts.collect::<std::result::Result<Vec<_>, _>>()?.join("\n\n"))
}

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
        windows: windows.len(),
        scored_tokens,
        text_tokens: tokens.len(),
        bos: tokenizer.bos.is_some() && tokens.first() == tokenizer.bos.as_ref(),
    })
}
