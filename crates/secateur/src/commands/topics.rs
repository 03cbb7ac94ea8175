//! What can be chosen from: one topic per registry.

use calib::{Packing, dataset::PRESETS, filters::FILTERS, sources::SOURCES, synthesis::SYNTHESES};
use calib::{judging::SCORES, selection::SELECTIONS};
use clap::builder::{PossibleValue, PossibleValuesParser};
use compute::KernelLevel;
use data::FORMATS;
use eval::tasks::{GROUPS, TASKS};
use lm::families::FAMILIES;
use prune::choice;
use prune::token_weights::KINDS;
use prune::{allocations::ALLOCATIONS, methods::METHODS, refinements::REFINEMENTS};
use serde::Serialize;

/// A registry as users see it.
pub(crate) struct Topic {
    /// The name `list` takes.
    pub(crate) name: &'static str,
    /// What the entries are.
    pub(crate) summary: &'static str,
    /// Its entries, in the registry's order.
    pub(crate) entries: fn() -> Vec<Entry>,
}

/// One entry of a registry.
#[derive(Serialize)]
pub(crate) struct Entry {
    /// The name users give.
    pub(crate) name: String,
    /// What it is, in one line.
    pub(crate) summary: String,
    /// What it does, when to use it, its parameters, cost and reference; nothing where the line
    /// says it all.
    #[serde(skip)]
    pub(crate) explanation: Option<&'static str>,
}

/// Every topic, in the order they are listed.
pub(crate) const TOPICS: &[Topic] = &[
    Topic { name: "methods", summary: "ways to choose the weights that go", entries: methods },
    Topic {
        name: "refinements",
        summary: "ways to exchange weights of a method's mask",
        entries: refinements,
    },
    Topic {
        name: "allocations",
        summary: "ways to share a sparsity out over the blocks",
        entries: allocations,
    },
    Topic {
        name: "token-weights",
        summary: "how much each calibration token counts",
        entries: token_weights,
    },
    Topic { name: "sources", summary: "where calibration data comes from", entries: sources },
    Topic { name: "syntheses", summary: "ways to have a model write text", entries: syntheses },
    Topic { name: "filters", summary: "texts that are left out", entries: filters },
    Topic { name: "datasets", summary: "hub data sets with a short name", entries: datasets },
    Topic { name: "packings", summary: "how text becomes calibration windows", entries: packings },
    Topic {
        name: "selections",
        summary: "rules that keep some sequences of a larger draw",
        entries: selections,
    },
    Topic { name: "scores", summary: "what rank judges calibration data by", entries: scores },
    Topic { name: "formats", summary: "text files that can be read", entries: formats },
    Topic { name: "tasks", summary: "questions with known answers for eval", entries: tasks },
    Topic { name: "groups", summary: "tasks that are quoted together, as a mean", entries: groups },
    Topic { name: "families", summary: "architectures that can be pruned", entries: families },
    Topic { name: "kernels", summary: "instruction sets of the arithmetic", entries: kernels },
];

/// The names of the topics, for the command line.
pub(crate) fn names() -> PossibleValuesParser {
    let value = |topic: &Topic| PossibleValue::new(topic.name).help(topic.summary);
    PossibleValuesParser::new(TOPICS.iter().map(value))
}

fn entry(name: impl Into<String>, summary: impl Into<String>) -> Entry {
    Entry { name: name.into(), summary: summary.into(), explanation: None }
}

impl Entry {
    fn explained(mut self, explanation: &'static str) -> Self {
        self.explanation = Some(explanation);
        self
    }
}

fn methods() -> Vec<Entry> {
    let methods = METHODS.iter().map(|m| (m.name(), m.summary(), m.explanation()));
    let automatic = (choice::AUTO, choice::SUMMARY, choice::EXPLANATION);
    let entries = methods.chain([automatic]);
    entries.map(|(name, summary, text)| entry(name, summary).explained(text)).collect()
}

fn refinements() -> Vec<Entry> {
    REFINEMENTS.iter().map(|r| entry(r.name(), r.summary()).explained(r.explanation())).collect()
}

fn allocations() -> Vec<Entry> {
    ALLOCATIONS.iter().map(|a| entry(a.name(), a.summary()).explained(a.explanation())).collect()
}

fn token_weights() -> Vec<Entry> {
    KINDS.iter().map(|kind| entry(kind.name, kind.summary).explained(kind.explanation)).collect()
}

fn sources() -> Vec<Entry> {
    SOURCES.iter().map(|s| entry(s.name(), s.summary()).explained(s.explanation())).collect()
}

fn syntheses() -> Vec<Entry> {
    SYNTHESES.iter().map(|s| entry(s.name(), s.summary()).explained(s.explanation())).collect()
}

fn filters() -> Vec<Entry> {
    FILTERS.iter().map(|f| entry(f.name(), f.summary()).explained(f.explanation())).collect()
}

fn selections() -> Vec<Entry> {
    SELECTIONS.iter().map(|s| entry(s.name(), s.summary()).explained(s.explanation())).collect()
}

fn scores() -> Vec<Entry> {
    SCORES.iter().map(|s| entry(s.name(), s.summary()).explained(s.explanation())).collect()
}

fn datasets() -> Vec<Entry> {
    PRESETS.iter().map(|preset| entry(preset.name, preset.summary)).collect()
}

fn packings() -> Vec<Entry> {
    Packing::ALL.iter().map(|packing| entry(packing.name(), packing.summary())).collect()
}

fn formats() -> Vec<Entry> {
    FORMATS.iter().map(|format| entry(format.name(), format.summary())).collect()
}

fn tasks() -> Vec<Entry> {
    TASKS.iter().map(|t| entry(t.name(), t.summary()).explained(t.explanation())).collect()
}

fn groups() -> Vec<Entry> {
    let summary =
        |group: &eval::tasks::Group| format!("{}: {}", group.summary, group.tasks.join(", "));
    GROUPS.iter().map(|group| entry(group.name, summary(group))).collect()
}

fn families() -> Vec<Entry> {
    FAMILIES.iter().map(|family| entry(family.model_types().join(", "), family.summary())).collect()
}

fn kernels() -> Vec<Entry> {
    let availability = |level: &KernelLevel| match level.is_available() {
        true if *level == KernelLevel::detect() => "this processor's best",
        true => "on this processor too",
        false => "not on this processor",
    };
    KernelLevel::ALL.iter().map(|level| entry(level.name(), availability(level))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_entries_that_say_what_they_are() {
        for topic in TOPICS {
            let entries = (topic.entries)();
            assert!(!entries.is_empty(), "{}", topic.name);
            for entry in &entries {
                assert!(!entry.name.is_empty() && !entry.summary.is_empty(), "{}", topic.name);
                assert!(!entry.summary.contains('\n'), "{}", entry.name);
            }
        }
    }

    #[test]
    fn every_explanation_has_the_five_headings() {
        let entries = TOPICS.iter().flat_map(|topic| (topic.entries)());
        for entry in entries {
            let Some(explanation) = entry.explanation else { continue };
            for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
                assert!(explanation.contains(heading), "{}: {heading}", entry.name);
            }
        }
    }
}
