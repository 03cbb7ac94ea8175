//! What a command needs before it can work: threads, kernels, the model, the cache.

use std::path::{Path, PathBuf};

use anyhow::Context;
use compute::{KernelLevel, Precision};
use lm::{Checkpoint, Dtype, Model, Observer, families, hub};

use crate::failure::BadInput;
use crate::options::{ModelOptions, RunningOptions};
use crate::terminal::interrupt;

/// Begins to work as the options ask: threads, Ctrl-C.
pub(crate) fn begin(running: &RunningOptions) -> anyhow::Result<()> {
    // This thread is one of them: it would otherwise sleep while they work for it, and be woken for every
    // operation.
    let threads = running.threads.map_or(0, Into::into);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    pool.build_global().context("the threads cannot be started")?;
    interrupt::watch()
}

/// Opens the model that `options` name, with the kernels they ask for.
pub(crate) fn model(options: &ModelOptions, observer: &dyn Observer) -> anyhow::Result<Model> {
    if let Some(name) = &options.kernel {
        let level = name.parse::<KernelLevel>().and_then(KernelLevel::force);
        level.map_err(|error| BadInput::new(format!("--kernel {name}: {error}")))?;
    }
    let checkpoint = checkpoint(&options.model, options.offline, observer)?;
    let precision = match options.dtype.precision() {
        Some(precision) => precision,
        None => own_precision(&checkpoint)?,
    };
    Ok(Model::new(checkpoint, precision)?)
}

/// Opens a second model to compare with the first, in the first's arithmetic.
pub(crate) fn second(
    name: &str,
    options: &ModelOptions,
    first: &Model,
    observer: &dyn Observer,
) -> anyhow::Result<Model> {
    Ok(Model::new(checkpoint(name, options.offline, observer)?, first.precision())?)
}

/// Opens the model in the box, a folder or a file, or the snapshot of a hub id.
pub(crate) fn checkpoint(
    name: &str,
    offline: bool,
    observer: &dyn Observer,
) -> anyhow::Result<Checkpoint> {
    if name == demo::NAME {
        return Ok(demo::checkpoint()?);
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(Checkpoint::open(path)?);
    }
    if !hub::is_hub_id(name) {
        let problem = format!("{name}: no such file or folder");
        return Err(BadInput::new(problem).hint(WHAT_A_MODEL_IS).into());
    }
    let snapshot = hub::resolve(&name.parse()?, &hub(offline)?, observer)?;
    Ok(Checkpoint::open(&snapshot)?)
}

/// Where the hub is, by the environment variables its own tools read.
fn hub(offline: bool) -> anyhow::Result<hub::HubOptions> {
    let mut options = hub::HubOptions::from_env(|name| std::env::var(name).ok())?;
    options.offline |= offline;
    Ok(options)
}

/// Where the hub is, where calibration data comes from it.
pub(crate) fn data_hub(
    recipe: &calib::Recipe,
    offline: bool,
) -> anyhow::Result<Option<hub::HubOptions>> {
    calib::dataset::needed(recipe).then(|| hub(offline)).transpose()
}

/// What is said of an error on the way to calibration data.
pub(crate) const NO_CALIBRATION: &str = "no calibration data can be made";

const WHAT_A_MODEL_IS: &str = "a model is a Hugging Face folder, a .gguf file, a hub id such as \
                               HuggingFaceTB/SmolLM2-135M, or demo, the model in the box";

/// bf16 for a checkpoint of bf16 weights, f32 for any other.
fn own_precision(checkpoint: &Checkpoint) -> lm::Result<Precision> {
    let spec = families::spec(&checkpoint.config)?;
    Ok(match checkpoint.store.info(&spec.embedding)?.dtype {
        Dtype::BF16 => Precision::Bf16,
        Dtype::F16 | Dtype::F32 => Precision::F32,
    })
}

/// The name of an arithmetic.
pub(crate) fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

/// The folder in which texts the model wrote are kept between runs: `SECATEUR_CACHE`, else
/// `secateur` in `XDG_CACHE_HOME`, else in `~/.cache`.
pub(crate) fn cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    folder("SECATEUR_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("secateur")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("secateur")))
}
