//! What a saved calibration set holds.

use std::{collections::BTreeMap, path::Path};

use calib::{CalibrationSet, Origin, Provenance, selection::Selected};
use serde_json::json;

use super::texts::Texts;
use crate::options::InspectOptions;
use crate::output;
use crate::terminal::{format, table::Table, table::definitions};

pub(super) fn run(options: &InspectOptions, path: &Path) -> anyhow::Result<()> {
    let set = CalibrationSet::load(path)?;
    let texts = Texts::beside(path, &set)?;
    if options.running.json {
        return output::json(&json!({
            "file": path,
            "sequences": set.sequences.len(),
            "tokens": set.tokens(),
            "length": set.length(),
            "lengths": lengths(&set),
            "digest": set.digest(),
            "sources": sources(&set.provenance),
            "vocabulary_used": vocabulary_used(&set),
            "texts": texts,
            "provenance": set.provenance,
        }));
    }
    let mut text = facts(path, &set);
    text.push('\n');
    text.push_str(&sources_table(&set.provenance));
    text.push_str(&examples(&set.provenance));
    match texts {
        Some(texts) => text.push_str(&texts.render()),
        None => text.push_str(&format!(
            "\nnote: {} is not there, so no text can be shown\n",
            path.with_extension("jsonl").display()
        )),
    }
    for note in &set.provenance.notes {
        text.push_str(&format!("\nnote: {note}\n"));
    }
    output::text(&text)
}

fn facts(path: &Path, set: &CalibrationSet) -> String {
    let provenance = &set.provenance;
    let [shortest, median, longest] = lengths(set);
    let length = match shortest == longest {
        true => longest.to_string(),
        false => format!("{shortest} to {longest}, half of them below {median}"),
    };
    let left_out = provenance.left_out();
    let used = format!(
        "{} of {} token ids",
        format::count(vocabulary_used(set) as u64),
        format::count(provenance.vocabulary as u64)
    );
    definitions([
        ("calibration set", path.display().to_string().as_str()),
        ("source", provenance.source.as_str()),
        ("asked for", provenance.recipe.source.as_str()),
        ("sequences", format::count(set.sequences.len() as u64).as_str()),
        ("tokens in each", length.as_str()),
        ("tokens", format::count(set.tokens() as u64).as_str()),
        ("vocabulary", used.as_str()),
        ("packing", provenance.packing.name()),
        ("seed", provenance.recipe.seed.to_string().as_str()),
        ("documents", format::count(provenance.documents as u64).as_str()),
        ("left out", left_out.as_deref().unwrap_or("none")),
        ("selected", selected(provenance).as_str()),
        ("digest", set.digest().as_str()),
        ("made by", format!("secateur {}", provenance.version).as_str()),
    ])
}

/// The least, the middle and the largest number of tokens of a sequence.
fn lengths(set: &CalibrationSet) -> [usize; 3] {
    let mut lengths: Vec<usize> = set.sequences.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    [lengths[0], lengths[lengths.len() / 2], lengths[lengths.len() - 1]]
}

/// How many different token ids occur.
fn vocabulary_used(set: &CalibrationSet) -> usize {
    let mut seen = vec![false; set.provenance.vocabulary];
    set.sequences.iter().flatten().for_each(|token| seen[*token as usize] = true);
    seen.into_iter().filter(|seen| *seen).count()
}

/// How many sequences come from where.
fn sources(provenance: &Provenance) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for origin in &provenance.origins {
        *counts.entry(source(origin, provenance)).or_insert(0) += 1;
    }
    counts
}

fn source(origin: &Origin, provenance: &Provenance) -> String {
    match origin {
        Origin::Stream { .. } => provenance.recipe.source.clone(),
        Origin::Document { file, .. } => file.clone(),
        Origin::Random { .. } => provenance.source.clone(),
        Origin::Generated { .. } => match &provenance.recipe.synthesis.server {
            None => "text the model wrote".into(),
            Some(server) => format!("text that {} at {} wrote", server.model, server.url),
        },
        Origin::Portion { part, origin } => match provenance.parts.get(*part) {
            Some(part) => source(origin, part),
            None => format!("portion {part}"),
        },
    }
}

fn sources_table(provenance: &Provenance) -> String {
    const SHOWN: usize = 10;
    let counts = sources(provenance);
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut table = Table::new(&["sequences from", "number"]);
    for (source, count) in sorted.iter().take(SHOWN) {
        table.row([(*source).clone(), count.to_string()]);
    }
    if sorted.len() > SHOWN {
        let rest: usize = sorted[SHOWN..].iter().map(|(_, count)| **count).sum();
        table.row([format!("{} more", sorted.len() - SHOWN), rest.to_string()]);
    }
    table.render()
}

/// Which sequences of a larger draw were kept, those of the portions among them.
pub(crate) fn selected(provenance: &Provenance) -> String {
    let all = provenance.parts.iter().chain([provenance]);
    let selected: Vec<String> =
        all.filter_map(|one| one.selection.as_ref()).map(Selected::describe).collect();
    if selected.is_empty() { "all that were drawn".into() } else { selected.join("; ") }
}

/// A text that each filter left out, and why; nothing where none was.
pub(crate) fn examples(provenance: &Provenance) -> String {
    let examples = provenance.examples();
    if examples.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nleft out, for example:\n");
    for one in examples {
        text.push_str(&format!("  {}: {}", one.filter, one.reason));
        if !one.excerpt.is_empty() {
            text.push_str(&format!("\n    {}", one.excerpt));
        }
        text.push('\n');
    }
    text
}
