//! The values an option may take, from the registries that know them.

use calib::filters::{Duplicates, PerplexityBand};
use calib::judging::SCORES;
use calib::selection::SELECTIONS;
use calib::synthesis::SYNTHESES;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ValueEnum, builder::ValueParser};
use compute::Precision;
use prune::choice::{self, Budget};
use prune::refinements::REFINEMENTS;
use prune::{Propagation, Scope, allocations::ALLOCATIONS, methods::METHODS};

/// The calibration source that is the model itself.
pub(crate) const MODEL_ITSELF: &str = "self";

/// What is measured of a model that was pruned with a calibration set, with what it says.
pub(crate) const DAMAGES: [(&str, &str); 2] = [
    (DAMAGE, "KL divergence of the pruned model from the dense one on held-out text, in nats"),
    (LOSS, "what the logarithm of the perplexity on held-out text goes up by, in nats"),
];

/// The mean KL divergence of the pruned model.
pub(crate) const DAMAGE: &str = "damage";

/// What the logarithm of the perplexity goes up by.
pub(crate) const LOSS: &str = "loss";

/// The arithmetic of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeChoice {
    /// The checkpoint's own
    Auto,
    /// Single precision
    F32,
    /// Every result rounded to bf16
    Bf16,
}

impl DtypeChoice {
    /// The arithmetic where one was chosen.
    pub(crate) fn precision(self) -> Option<Precision> {
        match self {
            DtypeChoice::Auto => None,
            DtypeChoice::F32 => Some(Precision::F32),
            DtypeChoice::Bf16 => Some(Precision::Bf16),
        }
    }
}

/// The names of the methods.
pub(super) fn methods() -> ValueParser {
    let methods = METHODS.iter().map(|method| (method.name(), method.summary()));
    named(methods.chain([(choice::AUTO, choice::SUMMARY)])).into()
}

/// The times that a method chosen by rule may take.
pub(super) fn budgets() -> ValueParser {
    let names = [
        ("fast", "about that of the pass over the calibration data"),
        ("balanced", "about twice that"),
        ("best", "as much as it takes"),
    ];
    ValueParser::new(named(names).try_map(|name| name.parse::<Budget>()))
}

/// The names of the refinements.
pub(super) fn refinements() -> ValueParser {
    named(REFINEMENTS.iter().map(|refinement| (refinement.name(), refinement.summary()))).into()
}

/// The names of the allocations.
pub(super) fn allocations() -> ValueParser {
    named(ALLOCATIONS.iter().map(|allocation| (allocation.name(), allocation.summary()))).into()
}

/// The names of the kernel levels.
pub(super) fn kernel_levels() -> ValueParser {
    PossibleValuesParser::new(compute::KernelLevel::ALL.map(|level| level.name())).into()
}

/// The scopes of comparison.
pub(super) fn scopes() -> ValueParser {
    let names = [("row", "each output row"), ("layer", "the whole linear")];
    ValueParser::new(named(names).map(|name| if name == "row" { Scope::Row } else { Scope::Layer }))
}

/// The propagations.
pub(super) fn propagations() -> ValueParser {
    let names = [
        ("staged", "one pass, already pruned"),
        ("reference", "two passes, dense statistics within a block"),
    ];
    ValueParser::new(named(names).try_map(|name| name.parse::<Propagation>()))
}

/// A parser of names with what they stand for.
pub(super) fn named(
    names: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> PossibleValuesParser {
    let values = names.into_iter().map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values)
}

/// The ways to have the model write.
pub(super) fn syntheses() -> ValueParser {
    named(SYNTHESES.iter().map(|synthesis| (synthesis.name(), synthesis.summary()))).into()
}

/// The rules of selection.
pub(super) fn selections() -> ValueParser {
    named(SELECTIONS.iter().map(|rule| (rule.name(), rule.summary()))).into()
}

/// What sets can be ordered by: the scores, and the damage that is measured.
pub(super) fn orders() -> ValueParser {
    let scores = SCORES.iter().map(|score| (score.name(), score.summary()));
    named(scores.chain(DAMAGES)).into()
}

/// The packings.
pub(super) fn packings() -> ValueParser {
    let names = calib::Packing::ALL.map(|packing| (packing.name(), packing.summary()));
    ValueParser::new(named(names).try_map(|name| name.parse::<calib::Packing>()))
}

/// The ways to cut a text file into documents.
pub(super) fn splits() -> ValueParser {
    let names = [
        ("file", "nowhere: the file is one document"),
        ("blank-line", "at blank lines"),
        ("line", "at every line"),
    ];
    ValueParser::new(named(names).map(|name| match name.as_str() {
        "blank-line" => data::Split::BlankLine,
        "line" => data::Split::Line,
        _ => data::Split::File,
    }))
}

/// What is done about records that cannot be used.
pub(super) fn bad_records() -> ValueParser {
    let names = [("stop", "say which and end"), ("skip", "leave them out and count them")];
    ValueParser::new(named(names).map(|name| match name.as_str() {
        "skip" => data::BadRecords::Skip,
        _ => data::BadRecords::Stop,
    }))
}

/// What counts as said before.
pub(super) fn duplicates() -> ValueParser {
    let names = [
        ("keep", "nothing"),
        ("exact", "the same text"),
        ("near", "a text that says nearly the same"),
    ];
    ValueParser::new(named(names).map(|name| match name.as_str() {
        "exact" => Duplicates::Exact,
        "near" => Duplicates::Near,
        _ => Duplicates::Keep,
    }))
}

/// A band of perplexities, `LEAST:MOST`.
pub(super) fn band(text: &str) -> Result<PerplexityBand, String> {
    let numbers = text.split_once(':').and_then(|(least, most)| {
        Some(PerplexityBand { least: least.parse().ok()?, most: most.parse().ok()? })
    });
    numbers.ok_or_else(|| "two numbers expected, such as 5:50".to_owned())
}
