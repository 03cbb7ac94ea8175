//! Divergence of a pruned model from its dense one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use calib::{FilterSettings, SynthesisSettings, Workspace};
use eval::Divergence;
use lm::generation::Sampling;
use lm::{Model, Observer, scoring};
use serde::Serialize;

use crate::failure::BadInput;
use crate::options::{DivergenceOptions, Format, MODEL_ITSELF};
use crate::setup;
use crate::terminal::{format, table::Table};

/// Tokens in a sequence unless told otherwise, where the model's context allows it.
const LENGTH: usize = 512;

/// What two models are compared on.
pub(crate) enum Yardstick {
    /// Text the dense model writes: drawn from its own distribution, nothing cut off or left out.
    Own(Box<calib::Recipe>),
    /// The first windows of a text.
    Text { file: PathBuf, sequences: Vec<Vec<u32>> },
}

/// A divergence with everything needed to repeat it.
#[derive(Serialize)]
pub(crate) struct DivergenceFacts {
    /// `self`, or the text's file.
    pub(crate) text: String,
    /// Seed of the text, where the model wrote it.
    pub(crate) seed: Option<u64>,
    /// Tokens in a sequence.
    pub(crate) length: usize,
    /// The arithmetic of both models.
    pub(crate) dtype: &'static str,
    /// What was found.
    pub(crate) result: Divergence,
}

impl Yardstick {
    /// What the options ask for, checked against the model; `auto` decides where they do not say.
    ///
    /// # Errors
    /// When a text cannot be read or is too short, or the sequences do not fit the model.
    pub(crate) fn read(
        options: &DivergenceOptions,
        auto: bool,
        model: &Model,
    ) -> anyhow::Result<Option<Self>> {
        if !Self::is_wanted(options, auto) {
            return Ok(None);
        }
        let source = match options.divergence.as_str() {
            "auto" => MODEL_ITSELF,
            source => source,
        };
        let length = Self::length(options.divergence_length, model)?;
        let sequences = options.divergence_sequences as usize;
        if source == MODEL_ITSELF {
            return Ok(Some(Self::own(sequences, length, options.divergence_seed)));
        }
        let text = Self::text(Path::new(source), sequences, length, model);
        text.with_context(|| format!("--divergence {source}")).map(Some)
    }

    /// Text that the model writes: drawn from its own distribution, temperature 1, nothing cut off,
    /// nothing filtered.
    pub(crate) fn own(samples: usize, length: usize, seed: u64) -> Self {
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };
        let sampling = Some(sampling);
        Self::Own(Box::new(calib::Recipe {
            samples: Some(samples),
            length: Some(length),
            seed,
            filters: FilterSettings::none(),
            synthesis: SynthesisSettings { sampling, ..SynthesisSettings::default() },
            ..calib::Recipe::of(MODEL_ITSELF)
        }))
    }

    /// The first windows of `length` tokens of a text, `most` at most.
    ///
    /// # Errors
    /// When the text cannot be read or does not fill a window.
    pub(crate) fn text(
        file: &Path,
        most: usize,
        length: usize,
        model: &Model,
    ) -> anyhow::Result<Self> {
        Ok(Self::Text { file: file.into(), sequences: windows(file, most, length, model)? })
    }

    /// Whether the options ask for one; `auto` decides where they do not say.
    pub(crate) fn is_wanted(options: &DivergenceOptions, auto: bool) -> bool {
        match options.divergence.as_str() {
            "off" => false,
            "auto" => auto,
            _ => true,
        }
    }

    /// The tokens of a sequence, where `given` does not say: [`LENGTH`], or the context of `model` if
    /// that is shorter.
    ///
    /// # Errors
    /// When the context is shorter than what is given.
    pub(crate) fn length(given: Option<u32>, model: &Model) -> anyhow::Result<usize> {
        let context = model.spec().context;
        let length = given.map_or(LENGTH.min(context), |length| length as usize);
        match length > context {
            true => Err(eval::Error::Window { window: length, context }.into()),
            false => Ok(length),
        }
    }

    /// Refuses a yardstick that the calibration data would be cut from as well.
    ///
    /// # Errors
    /// When the model writes both with one seed.
    pub(crate) fn check_apart(&self, calibration: &calib::Recipe) -> Result<(), BadInput> {
        match self {
            Self::Own(own)
                if calibration.sources().any(calib::sources::is_own)
                    && calibration.seed == own.seed =>
            {
                let problem = format!(
                    "--seed {} and --divergence-seed {} are the same: the model would be judged \
                     on draws it was pruned with",
                    own.seed, own.seed
                );
                Err(BadInput::new(problem).hint("choose another --divergence-seed"))
            }
            _ => Ok(()),
        }
    }

    /// `self`, or the text's file.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Own(_) => MODEL_ITSELF.into(),
            Self::Text { file, .. } => file.display().to_string(),
        }
    }

    /// What it is, in a few words.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Own(_) => "text the dense model writes".into(),
            Self::Text { file, .. } => file.display().to_string(),
        }
    }

    /// Its token sequences; those that `dense` writes are written now, within `memory` bytes.
    ///
    /// # Errors
    /// When they cannot be written, or the user stopped it.
    pub(crate) fn sequences(
        &self,
        dense: &Model,
        memory: Option<u64>,
        observer: &dyn Observer,
    ) -> anyhow::Result<Vec<Vec<u32>>> {
        let recipe = match self {
            Self::Text { sequences, .. } => return Ok(sequences.clone()),
            Self::Own(recipe) => recipe,
        };
        let cache = setup::cache();
        let cache = cache.as_deref();
        let workspace = Workspace { model: dense, cache, memory, hub: None, server: None };
        let set = calib::collect(recipe, &workspace, observer);
        Ok(set.context("the text to compare the models on cannot be written")?.sequences)
    }

    /// The divergence of `pruned` from `dense`.
    ///
    /// # Errors
    /// When the text cannot be written, a model cannot be read or does not fit the memory, or the
    /// user stopped it.
    pub(crate) fn measure(
        &self,
        dense: &Model,
        pruned: &Model,
        scoring: &scoring::Options,
        observer: &dyn Observer,
    ) -> anyhow::Result<DivergenceFacts> {
        let sequences = self.sequences(dense, scoring.memory, observer)?;
        let seed = match self {
            Self::Text { .. } => None,
            Self::Own(recipe) => Some(recipe.seed),
        };
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let result = eval::divergence(dense, pruned, &borrowed, scoring, observer);
        Ok(DivergenceFacts {
            text: self.name(),
            seed,
            length: sequences.iter().map(Vec::len).max().unwrap_or(0),
            dtype: setup::precision_name(dense.precision()),
            result: result.context("the divergence cannot be measured")?,
        })
    }
}

impl DivergenceFacts {
    /// The figures as a table, the protocol under it.
    pub(crate) fn render(&self) -> String {
        self.render_as(Format::Text)
    }

    /// The same, laid out as `layout` says.
    pub(crate) fn render_as(&self, layout: Format) -> String {
        let found = &self.result;
        let mut table = Table::new(&["divergence", "dense", "pruned", "change"]);
        let (before, after) = (found.reference_perplexity, found.perplexity);
        let change = format!("{:+.1} %", 100.0 * (after / before - 1.0));
        let perplexity = format::perplexity;
        table.row(["perplexity".into(), perplexity(before), perplexity(after), change]);
        let kl = |nats: f64| format!("{nats:.3} nats");
        let mut only = |name: &str, dense: &str, pruned: String| {
            table.row([name.to_owned(), dense.to_owned(), pruned, String::new()]);
        };
        only("KL divergence, mean per token", "0", kl(found.mean_kl));
        only("KL divergence, 99th percentile", "0", kl(found.p99_kl));
        let drift = format!("{:+.3} ± {:.3} nats", found.mean_drift, found.drift_deviation);
        only("log-probability drift ± deviation", "0", drift);
        only("same most probable token", "100 %", format::percent(found.top1_agreement));
        format!("{}{}\n", table.render_as(layout), self.protocol())
    }

    /// How it was measured, in one line.
    fn protocol(&self) -> String {
        let Divergence { sequences, .. } = self.result;
        let text = match self.seed {
            Some(seed) => format!("written by the dense model at temperature 1, seed {seed}"),
            None => format!("the first of {}", self.text),
        };
        format!("{sequences} sequences of {} tokens, {text}, {}", self.length, self.dtype)
    }
}

/// The first windows of `length` tokens of a text, `most` at most.
fn windows(file: &Path, most: usize, length: usize, model: &Model) -> eval::Result<Vec<Vec<u32>>> {
    let text = eval::text_of(file)?;
    let tokens = model.checkpoint().tokenizer.encode(&text, true)?;
    let windows: Vec<_> = tokens.chunks_exact(length).take(most).map(<[u32]>::to_vec).collect();
    match windows.is_empty() {
        true => Err(eval::Error::TooShort { tokens: tokens.len(), window: length }),
        false => Ok(windows),
    }
}
