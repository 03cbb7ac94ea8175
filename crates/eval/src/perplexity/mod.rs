//! Perplexity of texts.

mod rolling;
mod strided;
mod wikitext;
mod windows;

use std::path::Path;

use lm::scoring::Options;
use lm::{Model, Observer};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use windows::perplexity;

/// A perplexity with everything needed to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// `exp` of the mean loss.
    pub perplexity: f64,
    /// Mean negative log-likelihood of the scored tokens, in nats.
    pub mean_loss: f64,
    /// Tokens in a window.
    pub window: usize,
    /// Tokens from the beginning of one window to that of the next, where windows overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Windows scored.
    pub windows: usize,
    /// Tokens scored.
    pub scored_tokens: usize,
    /// Tokens of the text.
    pub text_tokens: usize,
    /// Whether the tokenizer put a beginning-of-text token before the text (never before a window).
    pub bos: bool,
    /// What was found document by document, by the rolling protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Documents>,
}

/// The figures of the rolling protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Documents {
    /// Documents, each scored on its own.
    pub count: usize,
    /// The mean over documents of each document's own perplexity (few bad ones dominate it).
    pub mean_perplexity: f64,
    /// Words of all documents: runs of white space, and one for each document.
    pub words: usize,
    /// Bytes of all documents in UTF-8.
    pub bytes: usize,
    /// Whether the documents are pages of WikiText that were scored as the text they stand for;
    /// words and bytes are those of the pages as they are.
    #[serde(default)]
    pub detokenised: bool,
    /// `exp` of the mean negative log-likelihood of a word.
    pub word_perplexity: f64,
    /// `exp` of the mean negative log-likelihood of a byte.
    pub byte_perplexity: f64,
    /// Mean negative log-likelihood of a byte, in bits.
    pub bits_per_byte: f64,
}

/// How a text is cut for the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Documents joined by two newlines and tokenised once; windows that do not overlap, the tail
    /// dropped, every token of a window but the first scored: the figure of pruning papers.
    Windows,
    /// The same text in windows that begin every `stride` tokens; of each, the tokens that the one
    /// before did not score, so that they see at least `window − stride` tokens before them.
    Strided {
        /// Tokens between the beginnings of two windows, at most the window.
        stride: usize,
    },
    /// Every document on its own as lm-evaluation-harness does it (`loglikelihood_rolling`): a
    /// beginning-of-text token, then windows that do not overlap with one token of context, the
    /// last filled up with context on its left; every token scored.
    Rolling,
    /// Pages of WikiText as the harness's task `wikitext` does it: as `Rolling`, but what is scored is
    /// the text that a page stands for, without the marks of WikiText's tokenisation.
    Wikitext,
}

impl Protocol {
    /// The documents of a file; pages where the protocol is WikiText's.
    ///
    /// # Errors
    /// When the file cannot be read as text, or its records have no pages.
    pub fn documents(self, path: &Path) -> Result<Vec<String>> {
        match self {
            Protocol::Wikitext => wikitext::pages(path),
            _ => documents_of(path),
        }
    }

    /// Whether the figures can be had of these documents, without running the model.
    ///
    /// # Errors
    /// When the window or stride does not fit the model, the text is too short, or the tokenizer
    /// has no token to begin with.
    pub fn check(self, model: &Model, documents: &[String], window: usize) -> Result<()> {
        let context = model.spec().context;
        if window < 2 || window > context {
            return Err(Error::Window { window, context });
        }
        match self {
            Protocol::Windows => windows::check(model, &documents.join(SEPARATOR), window),
            Protocol::Strided { stride } => {
                strided::check(model, &documents.join(SEPARATOR), (window, stride))
            }
            Protocol::Rolling | Protocol::Wikitext => rolling::check(model),
        }
    }

    /// The perplexity of `model` on `documents`.
    ///
    /// # Errors
    /// As [`Protocol::check`], and when the model cannot be read or does not fit the memory, or the
    /// observer cancels.
    pub fn measure(
        self,
        model: &Model,
        documents: &[String],
        window: usize,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Perplexity> {
        self.check(model, documents, window)?;
        match self {
            Protocol::Windows => {
                perplexity(model, &documents.join(SEPARATOR), window, options, observer)
            }
            Protocol::Strided { stride } => {
                let text = documents.join(SEPARATOR);
                strided::strided(model, &text, (window, stride), options, observer)
            }
            Protocol::Rolling => {
                rolling::rolling(model, (documents, documents), window, options, observer)
            }
            Protocol::Wikitext => {
                let texts: Vec<_> =
                    documents.iter().map(|page| wikitext::detokenised(page)).collect();
                let found =
                    rolling::rolling(model, (&texts, documents), window, options, observer)?;
                let documents = found.documents.map(|d| Documents { detokenised: true, ..d });
                Ok(Perplexity { documents, ..found })
            }
        }
    }
}

/// What stands between two documents of one text.
const SEPARATOR: &str = "\n\n";

/// The documents of a file.
///
/// # Errors
/// When the file cannot be read as text.
fn documents_of(path: &Path) -> Result<Vec<String>> {
    let documents = data::open(path, &data::Options::default())?;
    let texts = documents.map(|document| document.map(|document| document.text));
    Ok(texts.collect::<std::result::Result<Vec<_>, _>>()?)
}

/// The text of a file as one: documents joined by two newlines.
///
/// # Errors
/// When the file cannot be read as text.
pub fn text_of(path: &Path) -> Result<String> {
    Ok(documents_of(path)?.join(SEPARATOR))
}
