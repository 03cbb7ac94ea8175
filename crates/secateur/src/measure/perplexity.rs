//! Perplexities of the texts a command names.

use std::path::{Path, PathBuf};

use anyhow::Context;
use eval::{Perplexity, Protocol};
use lm::{Model, Observer, scoring};

use crate::failure::BadInput;
use crate::options::{EvaluationOptions, ProtocolChoice};

/// The window of published tables.
const WINDOW: usize = 2048;

/// Texts that can be measured on a model, and how.
pub(crate) struct Texts {
    texts: Vec<(PathBuf, Vec<String>)>,
    protocol: Protocol,
    window: usize,
    scoring: scoring::Options,
}

/// The perplexity of one text.
#[derive(Clone)]
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
        let usual = match options.perplexity_protocol {
            // as lm-evaluation-harness
            Some(ProtocolChoice::Rolling | ProtocolChoice::Wikitext) => context,
            _ => WINDOW.min(context),
        };
        let window = options.window.map_or(usual, |window| window as usize);
        if window > context {
            return Err(eval::Error::Window { window, context }.into());
        }
        let protocol = chosen(options, window)?;
        let mut texts = Vec::with_capacity(options.perplexity.len());
        for file in &options.perplexity {
            let documents = checked(file, protocol, window, model);
            let documents = documents.with_context(|| not_measured(file))?;
            texts.push((file.clone(), documents));
        }
        Ok(Self { texts, protocol, window, scoring })
    }

    /// The files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.texts.iter().map(|(file, _)| file.as_path())
    }

    /// Tokens in a window.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// What the figures depend on beside the model: texts, protocol and window.
    pub(crate) fn protocol(&self) -> String {
        let files: Vec<_> = self.files().collect();
        format!("{files:?} {:?} {}", self.protocol, self.window)
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
        let measure = |(file, documents): &(PathBuf, Vec<String>)| {
            let (window, options) = (self.window, &self.scoring);
            let found = self.protocol.measure(model, documents, window, options, observer);
            let perplexity = found.with_context(|| not_measured(file))?;
            Ok(Measured { file: file.clone(), perplexity })
        };
        self.texts.iter().map(measure).collect()
    }
}

fn checked(
    file: &Path,
    protocol: Protocol,
    window: usize,
    model: &Model,
) -> eval::Result<Vec<String>> {
    let documents = protocol.documents(file)?;
    protocol.check(model, &documents, window)?;
    Ok(documents)
}

/// The protocol that the options ask for.
fn chosen(options: &EvaluationOptions, window: usize) -> Result<Protocol, BadInput> {
    let protocol = options.perplexity_protocol.unwrap_or(ProtocolChoice::Windows);
    match (protocol, options.stride) {
        (ProtocolChoice::Strided, stride) => {
            Ok(Protocol::Strided { stride: stride.map_or(window / 2, |stride| stride as usize) })
        }
        (_, Some(stride)) => {
            let problem = format!("--stride {stride} is about overlapping windows");
            Err(BadInput::new(problem).hint("ask for them with --perplexity-protocol strided"))
        }
        (ProtocolChoice::Windows, None) => Ok(Protocol::Windows),
        (ProtocolChoice::Rolling, None) => Ok(Protocol::Rolling),
        (ProtocolChoice::Wikitext, None) => Ok(Protocol::Wikitext),
    }
}

fn not_measured(file: &Path) -> String {
    format!("the perplexity on {} cannot be measured", file.display())
}

/// How a perplexity was measured, in one line.
pub(crate) fn protocol(perplexity: &Perplexity, dtype: &str) -> String {
    let bos = if perplexity.bos { "with" } else { "without" };
    let (windows, window) = (perplexity.windows, perplexity.window);
    match (&perplexity.documents, perplexity.stride) {
        (Some(documents), _) => {
            let what = if documents.detokenised { "WikiText pages" } else { "documents" };
            format!(
                "{} {what} in {windows} windows of {window} tokens, each begun with BOS or EOS, \
                 tokenised {bos} BOS, {dtype}",
                documents.count
            )
        }
        (None, Some(stride)) => format!(
            "{windows} windows of {window} tokens every {stride}, text tokenised once {bos} BOS, \
             {dtype}"
        ),
        (None, None) => {
            format!("{windows} windows of {window} tokens, text tokenised once {bos} BOS, {dtype}")
        }
    }
}
