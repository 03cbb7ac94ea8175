//! report.json: the record of a run, clocks included.

use std::path::{Path, PathBuf};

use anyhow::Context;
use calib::CalibrationSet;
use eval::Perplexity;
use prune::{BlockReport, Sparsity, Trial};
use serde::Serialize;

use crate::measure::DivergenceFacts;
use crate::recipe::Resolved;

/// The report's name in the output folder.
pub(crate) const FILE: &str = "report.json";

/// What a run was asked, what it did, what it cost and what was lost.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Version of this record's layout.
    pub(crate) format: u32,
    /// Version of Secateur.
    pub(crate) version: &'static str,
    /// Every option, defaults filled in.
    pub(crate) recipe: Resolved,
    /// The dense model.
    pub(crate) model: ModelFacts,
    /// Where the pruned model is.
    pub(crate) output: PathBuf,
    /// The machine's part.
    pub(crate) machine: Machine,
    /// The method that chose the weights, and what followed it.
    pub(crate) method: String,
    /// What the method was shown; nothing where it needs nothing.
    pub(crate) calibration: Option<CalibrationFacts>,
    /// The share of zeros asked for and found.
    pub(crate) sparsity: SparsityFacts,
    /// The allocations that were tried, where the run chose among some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trials: Vec<Trial>,
    /// What a reader should know of the run as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// Every text's perplexity before and after.
    pub(crate) perplexity: Vec<Loss>,
    /// How far the pruned model is from the dense one, where that was measured.
    pub(crate) divergence: Option<DivergenceFacts>,
    /// Wall time.
    pub(crate) seconds: Seconds,
    /// The most memory the process had in use, mapped weights that were read included.
    pub(crate) peak_memory_bytes: Option<u64>,
    /// Every linear.
    pub(crate) blocks: Vec<BlockReport>,
}

/// The dense model.
#[derive(Serialize)]
pub(crate) struct ModelFacts {
    /// As the user named it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) digest: String,
    pub(crate) parameters: u64,
    /// The arithmetic of the forward pass.
    pub(crate) dtype: &'static str,
}

/// The machine's part in the result.
#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) kernel: &'static str,
    pub(crate) threads: usize,
}

/// What the method was shown.
#[derive(Serialize)]
pub(crate) struct CalibrationFacts {
    pub(crate) source: String,
    pub(crate) sequences: usize,
    pub(crate) tokens: usize,
    pub(crate) digest: String,
}

/// The share of zeros.
#[derive(Serialize)]
pub(crate) struct SparsityFacts {
    /// As it was asked for.
    pub(crate) asked: String,
    /// The share that was asked for.
    pub(crate) target: f64,
    /// The share of zeros in the linears that were pruned.
    pub(crate) achieved: f64,
    /// The share of zeros in the whole model.
    pub(crate) model: f64,
    /// Zeros and weights of the linears that were pruned.
    pub(crate) linears: Sparsity,
}

/// What a text's perplexity became. The protocol is in the figures: window, windows, tokens, BOS.
#[derive(Serialize)]
pub(crate) struct Loss {
    pub(crate) file: PathBuf,
    /// The arithmetic of both measurements.
    pub(crate) dtype: &'static str,
    pub(crate) before: Perplexity,
    pub(crate) after: Perplexity,
}

/// Wall time, in seconds.
#[derive(Default, Serialize)]
pub(crate) struct Seconds {
    /// Opening the model, its digest, the calibration data.
    pub(crate) calibration: f64,
    /// The sweep.
    pub(crate) pruning: f64,
    /// The perplexities and the divergence.
    pub(crate) evaluation: f64,
    pub(crate) total: f64,
}

impl CalibrationFacts {
    pub(crate) fn of(set: &CalibrationSet) -> Self {
        Self {
            source: set.provenance.recipe.source.clone(),
            sequences: set.sequences.len(),
            tokens: set.tokens(),
            digest: set.digest(),
        }
    }
}

impl Report {
    /// Writes the report into the finished output; it is there whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        lm::checkpoint::write_durable(&folder.join(FILE), &json).context("the report")
    }
}
