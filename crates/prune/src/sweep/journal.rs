//! How far a run has come, kept beside its unfinished output.

use compute::Precision;
use lm::checkpoint::CheckpointWriter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BlockReport, Job, Trial};
use crate::{Error, Recipe, Result};
use calib::CalibrationSet;

/// The journal's name in the unfinished output.
pub(super) const FILE: &str = "secateur-journal.json";

/// What makes two runs the same: equal identities give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The version of Secateur.
    pub(crate) version: String,
    /// What is done to the weights.
    pub(crate) recipe: Recipe,
    /// Fingerprint of the dense checkpoint: its digest, which needs every weight, is for the end.
    pub(crate) model_fingerprint: String,
    /// Digest of the calibration data, where the method needs any.
    pub(crate) calibration: Option<String>,
    /// Digest of the held-out data, where the allocation tries candidates on any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_out: Option<String>,
    /// The arithmetic of the forward pass.
    pub(crate) precision: String,
    /// The kernels of the forward pass.
    pub(crate) kernel: String,
}

/// The finished blocks of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) identity: Identity,
    /// The allocations that were tried, in order.
    #[serde(default)]
    pub(super) trials: Vec<Trial>,
    pub(super) blocks: Vec<BlockReport>,
}

impl Identity {
    pub(super) fn new(
        job: &Job<'_>,
        calibration: Option<&CalibrationSet>,
        held_out: Option<&CalibrationSet>,
    ) -> Result<Self> {
        let precision = match job.model.precision() {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            recipe: job.recipe.clone(),
            model_fingerprint: job.model.checkpoint().fingerprint()?,
            calibration: calibration.map(CalibrationSet::digest),
            held_out: held_out.map(CalibrationSet::digest),
            precision: precision.into(),
            kernel: compute::KernelLevel::active().to_string(),
        })
    }

    /// The first thing in which `other` differs, as `what: found, expected`.
    fn difference(&self, other: &Identity) -> Option<String> {
        let fields = |identity: &Identity| serde_json::to_value(identity).unwrap_or_default();
        let (name, found, expected) = first_difference("", &fields(self), &fields(other))?;
        Some(format!("it was begun with {name} {found}, this run has {expected}"))
    }
}

/// The first field, under its full name, in which two JSON values differ.
fn first_difference(name: &str, here: &Value, there: &Value) -> Option<(String, Value, Value)> {
    let (Value::Object(fields), Value::Object(_)) = (here, there) else {
        let differ = here != there;
        return differ.then(|| (name.to_owned(), here.clone(), there.clone()));
    };
    let dot = if name.is_empty() { "" } else { "." };
    let mut differences = fields.iter().map(|(field, value)| {
        let other = there.get(field).unwrap_or(&Value::Null);
        first_difference(&format!("{name}{dot}{field}"), value, other)
    });
    differences.find_map(|difference| difference)
}

impl Journal {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, trials: Vec::new(), blocks: Vec::new() }
    }

    /// The journal of an unfinished run, refused unless it is a run of the same identity.
    pub(super) fn load(writer: &CheckpointWriter, identity: &Identity) -> Result<Self> {
        let path = writer.folder().join(FILE);
        let problem = |problem: String| Error::Resume { path: writer.folder().into(), problem };
        let bytes = std::fs::read(&path).map_err(lm::Error::io(&path))?;
        let journal: Journal = serde_json::from_slice(&bytes)
            .map_err(|error| problem(format!("{FILE} is damaged: {error}")))?;
        match journal.identity.difference(identity) {
            Some(difference) => Err(problem(difference)),
            None => Ok(journal),
        }
    }

    /// Adds a finished block, whose weights are on disk.
    pub(super) fn record(&mut self, block: BlockReport, writer: &CheckpointWriter) -> Result<()> {
        self.blocks.push(block);
        self.save(writer)
    }

    /// Adds a candidate that was tried.
    pub(super) fn record_trial(&mut self, trial: Trial, writer: &CheckpointWriter) -> Result<()> {
        self.trials.push(trial);
        self.save(writer)
    }

    pub(super) fn save(&self, writer: &CheckpointWriter) -> Result<()> {
        let json = serde_json::to_vec(self).expect("a journal has no unserialisable values");
        Ok(writer.add_file(FILE, &json)?)
    }
}
