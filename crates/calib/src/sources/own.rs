//! The model writes its own calibration data.

use lm::Observer;

use super::{Source, Uses};
use crate::packing::Packing;
use crate::recipe::Windows;
use crate::synthesis::{
    self, Cache, Journal, Key, ModelAuthor, Session, Synthesis, Written, arithmetic, counts,
    prefixes,
};
use crate::{CalibrationSet, Error, Provenance, Recipe, Result, SynthesisSettings, Workspace};

/// Text the model writes itself.
pub(super) struct Own;

impl Source for Own {
    fn name(&self) -> &'static str {
        "self"
    }

    fn summary(&self) -> &'static str {
        "text the model writes itself, filtered by its own perplexity"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Has the model write texts, drops those that are empty, that loop, and the share it finds least
  probable itself, and cuts the rest into windows. Texts that fill a window are windows by themselves;
  shorter ones are joined with the end-of-text token between.

When to use it
  When you do not have the model's training data; its own text is closer to that than most other text.
  It is the default.

Parameters
  samples, length, seed: how many windows, of how many tokens, with which seed.
  synthesis: the strategy (prefix, bos, greedy-start, chat, server) and its parameters; `self/bos` as the
  source names it as well.
  filters: a fifth of the texts, those of the highest perplexity, and texts that loop are dropped
  unless told otherwise; see `list filters`.

Cost
  Writing about samples × length / (1 − drop_share) tokens, said before it begins. Texts are kept as
  they are finished and a finished set is kept for good, so nothing is written twice.

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025."
    }

    fn accepts(&self, source: &str) -> bool {
        source == "self" || super::strategy(source).is_some()
    }

    fn uses(&self) -> Uses {
        Uses { filters: true, synthesis: true, ..Uses::default() }
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        let recipe = &with_strategy(recipe)?;
        let windows = recipe.windows(workspace.model.spec())?;
        let synthesis = check(recipe, windows)?;
        let filters = recipe.filters.for_own();
        let tokenizer = &workspace.model.checkpoint().tokenizer;
        let prefixes = prefixes(recipe, tokenizer, observer)?;
        let prefix_digest = prefixes.as_ref().map(|prefixes| prefixes.digest.as_str());
        let key = Key::new(workspace.model, &recipe.synthesis, prefix_digest, windows)?;
        let cache = workspace.cache.map(|root| Cache::new(root, &key, &filters, windows));
        let cache = cache.transpose()?;
        if let Some(set) = finished(cache.as_ref(), recipe, observer)? {
            return Ok(set);
        }
        let author = ModelAuthor {
            synthesis,
            model: workspace.model,
            settings: &recipe.synthesis,
            sampling: recipe.synthesis.sampling()?,
            prefixes: prefixes.as_ref(),
            server: workspace.server,
            length: windows.length,
            seed: windows.seed,
            memory: workspace.memory,
        };
        let session = Session { author: &author, tokenizer, filters: &filters, windows, observer };
        let vocabulary = workspace.model.spec().vocabulary;
        let mut journal = match &cache {
            Some(cache) => cache.journal(vocabulary)?,
            None => Journal::in_memory(),
        };
        let written = session.run(&mut journal)?;
        let digest = workspace.model.digest(observer)?;
        let provenance = provenance(recipe, workspace, digest, prefix_digest);
        let set = describe(written, provenance)?;
        if let Some(cache) = &cache {
            cache.keep(&set, tokenizer)?;
        }
        Ok(set)
    }
}

/// The recipe with the strategy that its source names.
fn with_strategy(recipe: &Recipe) -> Result<Recipe> {
    let mut recipe = recipe.clone();
    let Some(named) = super::strategy(&recipe.source) else { return Ok(recipe) };
    let strategy = &mut recipe.synthesis.strategy;
    if *strategy != SynthesisSettings::default().strategy && strategy != named {
        let problem = format!("{strategy} found, and the source {:?} names another", recipe.source);
        return Err(Error::setting("synthesis", problem));
    }
    *strategy = named.into();
    Ok(recipe)
}

/// Refuses settings that do not fit; the strategy.
fn check(recipe: &Recipe, windows: Windows) -> Result<&'static dyn Synthesis> {
    recipe.refuse_dataset("text the model writes")?;
    recipe.filters.validate()?;
    if recipe.packing.is_some_and(|packing| packing != Packing::Stream) {
        let problem =
            "the model's own texts are packed as `stream`: those that end early are joined";
        return Err(Error::setting("packing", problem));
    }
    recipe.synthesis.validate(windows.length)?;
    synthesis::find(&recipe.synthesis.strategy)
}

/// The set an earlier run finished.
fn finished(
    cache: Option<&Cache>,
    recipe: &Recipe,
    observer: &dyn Observer,
) -> Result<Option<CalibrationSet>> {
    let Some(cache) = cache else { return Ok(None) };
    let Some(mut set) = cache.set()? else { return Ok(None) };
    let folder = cache.folder().display();
    observer.note(&format!("the calibration data of an earlier run is used again: {folder}"));
    // The same prefixes may lie in another place now.
    set.provenance.recipe = recipe.clone();
    Ok(Some(set))
}

/// What is known of a set before it is written.
fn provenance(
    recipe: &Recipe,
    workspace: &Workspace<'_>,
    model_digest: &str,
    prefix_digest: Option<&str>,
) -> Provenance {
    let tokenizer = &workspace.model.checkpoint().tokenizer;
    let separator = match tokenizer.eos.first() {
        Some(token) => format!("the end-of-text token {token}"),
        None => "nothing: the model has no end-of-text token".into(),
    };
    // Of the model behind a server no more is known than the recipe says.
    let own = recipe.synthesis.server.is_none();
    Provenance {
        separator,
        special_tokens: "the separator; the token a text begins with is left out".into(),
        text_digest: prefix_digest.map(Into::into),
        model: own.then(|| model_digest.into()),
        precision: own.then(|| arithmetic(workspace.model)),
        ..Provenance::of(Own.name(), recipe, workspace.model)
    }
}

fn describe(written: Written, provenance: Provenance) -> Result<CalibrationSet> {
    let Written { sequences, origins, texts, dropped } = written;
    let dropped_counts = counts(&dropped);
    let provenance = Provenance {
        documents: texts,
        dropped: dropped_counts,
        dropped_texts: dropped,
        origins,
        ..provenance
    };
    CalibrationSet::new(sequences, provenance)
}
