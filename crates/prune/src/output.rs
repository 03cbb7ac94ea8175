//! What is written beside the weights: secateur.json and the model card.

use std::fmt::Write as _;

use calib::CalibrationSet;
use lm::checkpoint::CheckpointWriter;
use serde::Serialize;

use crate::sweep::{Identity, Pruned};
use crate::{Result, Sparsity};

/// The record of what made a pruned checkpoint. It holds no clocks: equal runs give equal bytes.
#[derive(Serialize)]
struct Record<'a> {
    /// Version of this record's layout.
    format: u32,
    #[serde(flatten)]
    identity: &'a Identity,
    /// Digest of the dense checkpoint.
    model: &'a str,
    calibration_provenance: Option<&'a calib::Provenance>,
    #[serde(flatten)]
    pruned: &'a Pruned,
}

/// Writes `secateur.json` and `README.md`.
pub(crate) fn describe(
    writer: &CheckpointWriter,
    (identity, model): (&Identity, &str),
    calibration: Option<&CalibrationSet>,
    pruned: &Pruned,
) -> Result<()> {
    let record = Record {
        format: 1,
        identity,
        model,
        calibration_provenance: calibration.map(|set| &set.provenance),
        pruned,
    };
    let json = serde_json::to_vec_pretty(&record).expect("a record has no unserialisable values");
    writer.add_file("secateur.json", &json)?;
    writer.add_file("README.md", card(identity, calibration, pruned).as_bytes())?;
    Ok(())
}

/// The model card of a pruned checkpoint.
fn card(identity: &Identity, calibration: Option<&CalibrationSet>, pruned: &Pruned) -> String {
    let recipe = &identity.recipe;
    let steps = recipe.steps().map_or_else(|_| recipe.method.clone(), |steps| steps.to_string());
    let mut card = String::from(
        "---\nlibrary_name: transformers\ntags:\n- secateur\n- pruned\n- sparse\n---\n\n# Pruned model\n\n",
    );
    let _ = writeln!(
        card,
        "Pruned after training by Secateur {} with {} to {} ({} allocation, {} propagation).\n",
        identity.version, steps, recipe.sparsity, recipe.allocation, recipe.propagation
    );
    let percent = |sparsity: &Sparsity| 100.0 * sparsity.share();
    let _ = writeln!(card, "| | zeros |\n|---|---|");
    let _ = writeln!(card, "| pruned linears | {:.2} % |", percent(&pruned.sparsity));
    let _ = writeln!(card, "| all weights | {:.2} % |\n", percent(&pruned.model_sparsity));
    match calibration {
        Some(set) => {
            let tokens: usize = set.sequences.iter().map(Vec::len).sum();
            let _ = writeln!(
                card,
                "Calibration data: {} sequences, {tokens} tokens; secateur.json says where they \
                 come from.\n",
                set.sequences.len()
            );
        }
        None => card.push_str("No calibration data was used.\n\n"),
    }
    card.push_str(
        "The weights are stored densely, with zeros where they were pruned. Load it with\n\n\
         ```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\
         model = AutoModelForCausalLM.from_pretrained(\"path/to/this/folder\")\n\
         tokenizer = AutoTokenizer.from_pretrained(\"path/to/this/folder\")\n```\n\n\
         `secateur.json` records the recipe, the digests of model and calibration data, and the\n\
         sparsity of every linear.\n",
    );
    card
}
