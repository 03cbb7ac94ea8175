//! The options of every command, declared once: the command line and the recipe files are read
//! through the same declarations, so neither has an option the other lacks.

mod calibration;
mod choices;
mod commands;
mod divergence;
mod evaluation;
mod filters;
mod invocation;
mod model;
mod pruning;
mod rank;
mod running;
mod sampling;
mod size;
mod synthesis;
mod tasks;

pub(crate) use calibration::{CalibrationOptions, DrawingOptions, SETTINGS};
pub(crate) use choices::{DAMAGE, DAMAGES, DtypeChoice, LOSS, MODEL_ITSELF};
pub(crate) use commands::{
    CalibrateOptions, Cli, Command, CompletionsOptions, EvalOptions, ExplainOptions,
    GenerateOptions, InspectOptions, ListOptions, PruneOptions, RunOptions, StudyOptions,
};
pub(crate) use divergence::DivergenceOptions;
pub(crate) use evaluation::{EvaluationOptions, ProtocolChoice};
pub(crate) use filters::FilterOptions;
pub(crate) use invocation::{Invocation, declared};
pub(crate) use model::ModelOptions;
pub(crate) use pruning::PruningOptions;
pub(crate) use rank::{JudgingOptions, RankOptions};
pub(crate) use running::{RecipeOptions, RunningOptions};
pub(crate) use sampling::SamplingOptions;
pub(crate) use size::Size;
pub(crate) use synthesis::SynthesisOptions;
pub(crate) use tasks::{Format, TaskOptions};
