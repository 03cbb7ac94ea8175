//! What a saved calibration set holds.

use std::path::Path;

use calib::CalibrationSet;
use serde_json::json;

use crate::options::InspectOptions;
use crate::output;
use crate::terminal::{format, table::definitions};

pub(super) fn run(options: &InspectOptions, path: &Path) -> anyhow::Result<()> {
    let set = CalibrationSet::load(path)?;
    if options.running.json {
        return output::json(&json!({
            "file": path,
            "sequences": set.sequences.len(),
            "tokens": set.tokens(),
            "length": set.length(),
            "digest": set.digest(),
            "provenance": set.provenance,
        }));
    }
    let provenance = &set.provenance;
    let length = set.length().map_or("differs".to_owned(), |length| length.to_string());
    let dropped = provenance.dropped.iter().map(|(why, count)| format!("{count} {why}"));
    let dropped = dropped.collect::<Vec<_>>().join(", ");
    let mut text = definitions([
        ("calibration set", path.display().to_string().as_str()),
        ("source", provenance.source.as_str()),
        ("asked for", provenance.recipe.source.as_str()),
        ("sequences", format::count(set.sequences.len() as u64).as_str()),
        ("tokens in each", length.as_str()),
        ("tokens", format::count(set.tokens() as u64).as_str()),
        ("packing", provenance.packing.name()),
        ("seed", provenance.recipe.seed.to_string().as_str()),
        ("documents", format::count(provenance.documents as u64).as_str()),
        ("left out", if dropped.is_empty() { "none" } else { dropped.as_str() }),
        ("digest", set.digest().as_str()),
        ("made by", format!("secateur {}", provenance.version).as_str()),
    ]);
    for note in &provenance.notes {
        text.push_str(&format!("\nnote: {note}\n"));
    }
    output::text(&text)
}
