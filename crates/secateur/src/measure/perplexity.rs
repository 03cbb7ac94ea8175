//! Perplexities of the texts a command names.

use std::path::{Path, PathBuf};

use anyhow::Context;
use eval::Perplexity;
use lm::{Model, Observer, scoring};

use crate::options::EvaluationOptions;

/// The window of published tables.
const WINDOW: usize = 2048;

/// Texts that can be measured on a model, and how.
pub(crate) struct Texts {
    texts: Vec<(PathBuf, String)>,
    window: usize,
    scoring: scoring::Options,
}

/// The perplexity of one text.
pub(crate) struct Measured {
    /// The text's file.
    pub(crate) file: PathBuf,
    /// What was found, and the protocol.
    pub(crate) perplexity: Perplexity,
}

impl Texts {
    /// Reads the texts and makes sure that each can be measured, so that a run does not find out at
    /// its end.
    ///
    /// # Errors
    /// When a file cannot be read or is shorter than a window, or the window is longer than the
    /// model's context.
    pub(crate) fn read(
        options: &EvaluationOptions,
        scoring: scoring::Options,
        model: &Model,
    ) -> anyhow::Result<Self> {
        let context = model.spec().context;
        let window = options.window.map_or(WINDOW.min(context), |window| window as usize);
        let mut texts = Vec::with_capacity(options.perplexity.len());
        for file in &options.perplexity {
            let text = checked(file, window, model);
            let text = text.with_context(|| not_measured(file))?;
            texts.push((file.clone(), text));
        }
        if window > context {
            return Err(eval::Error::Window { window, context }.into());
        }
        Ok(Self { texts, window, scoring })
    }

    /// The files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.texts.iter().map(|(file, _)| file.as_path())
    }

    /// Tokens in a window.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The perplexity of `model` on every text.
    ///
    /// # Errors
    /// When the model cannot be read or does not fit the memory, or the user stopped it.
    pub(crate) fn measure(
        &self,
        model: &Model,
        observer: &dyn Observer,
    ) -> anyhow::Result<Vec<Measured>> {
        let measure = |(file, text): &(PathBuf, String)| {
            let found = eval::perplexity(model, text, self.window, &self.scoring, observer);
            let perplexity = found.with_context(|| not_measured(file))?;
            Ok(Measured { file: file.clone(), perplexity })
        };
        self.texts.iter().map(measure).collect()
    }
}

fn checked(file: &Path, window: usize, model: &Model) -> eval::Result<String> {
    let text = eval::text_of(file)?;
    let tokens = model.checkpoint().tokenizer.encode(&text, true)?.len();
    if tokens < window {
        return Err(eval::Error::TooShort { tokens, window });
    }
    Ok(text)
}

fn not_measured(file: &Path) -> String {
    format!("the perplexity on {} cannot be measured", file.display())
}

/// How a perplexity was measured, in one line.
pub(crate) fn protocol(perplexity: &Perplexity, dtype: &str) -> String {
    let bos = if perplexity.bos { "with" } else { "without" };
    format!(
        "{} windows of {} tokens, text tokenised once {bos} BOS, {dtype}",
        perplexity.windows, perplexity.window
    )
}
