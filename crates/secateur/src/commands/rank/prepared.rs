//! A judgement that can begin: everything checked that can be checked at once.

use std::path::{Path, PathBuf};

use anyhow::Context;
use calib::ServerOptions;
use lm::{Model, Observer};

use super::candidates::{Candidate, candidates};
use super::damage::Pruning;
use crate::failure::BadInput;
use crate::measure::Yardstick;
use crate::options::{DAMAGE, DAMAGES, JudgingOptions, RankOptions};
use crate::setup;

/// Draws of a candidate unless told otherwise: the cheap scores vary little, the damage does not.
const SEEDS: u32 = 1;
const SEEDS_PRUNED: u32 = 3;

/// A judgement that can begin.
pub(super) struct Prepared {
    pub(super) model: Model,
    pub(super) candidates: Vec<Candidate>,
    pub(super) yardsticks: Vec<Yardstick>,
    pub(super) seeds: Vec<u64>,
    /// The name of the score that orders.
    pub(super) by: String,
    /// What is done to the model with every draw, where that is asked for.
    pub(super) pruning: Option<Pruning>,
    pub(super) cache: Option<PathBuf>,
    pub(super) offline: bool,
    /// How a server that writes is spoken to.
    pub(super) server: ServerOptions,
    pub(super) memory: Option<u64>,
}

impl Prepared {
    /// Opens the model and makes sure that what the options ask for can be done.
    ///
    /// # Errors
    /// When a candidate or a yardstick cannot be read, or options contradict each other.
    pub(super) fn new(options: &RankOptions, observer: &dyn Observer) -> anyhow::Result<Self> {
        let judging = &options.judging;
        let candidates = candidates(options)?;
        let by = by(judging)?;
        let model = setup::model(&options.model, observer)?;
        let pruning = Pruning::read(options, &model)?;
        let count = judging.seeds.unwrap_or(if judging.prune { SEEDS_PRUNED } else { SEEDS });
        let first = options.drawing.seed;
        let seeds: Vec<u64> = (0..u64::from(count)).map(|n| first.wrapping_add(n)).collect();
        check_apart(judging, &candidates, &seeds)?;
        check_standard_input(&candidates, seeds.len())?;
        check_report(options.report.as_deref())?;
        let yardsticks = yardsticks(judging, &model)?;
        Ok(Self {
            model,
            candidates,
            yardsticks,
            seeds,
            by,
            pruning,
            cache: setup::cache(),
            offline: options.model.offline,
            server: options.drawing.synthesis.server_options()?,
            memory: options.model.memory_bytes(),
        })
    }

    /// What the yardsticks are called.
    pub(super) fn labels(&self) -> Vec<String> {
        self.yardsticks.iter().map(Yardstick::name).collect()
    }
}

/// The name of the score that orders.
fn by(judging: &JudgingOptions) -> Result<String, BadInput> {
    let measured = |name: &str| DAMAGES.iter().any(|(damage, _)| *damage == name);
    match judging.by.as_deref() {
        Some(name) if measured(name) && !judging.prune => {
            let problem = format!("--by {name} is measured by pruning");
            Err(BadInput::new(problem).hint("add --prune, or order by another score"))
        }
        Some(name) => Ok(name.to_owned()),
        None if judging.prune => Ok(DAMAGE.to_owned()),
        None => Ok(calib::judging::SCORES[0].name().to_owned()),
    }
}

/// The model's own text first, then the files.
fn yardsticks(judging: &JudgingOptions, model: &Model) -> anyhow::Result<Vec<Yardstick>> {
    let sequences = judging.yardstick_sequences as usize;
    let length = Yardstick::length(judging.yardstick_length, model)?;
    let mut yardsticks = vec![Yardstick::own(sequences, length, judging.yardstick_seed)];
    for file in &judging.yardstick {
        let text = Yardstick::text(file, sequences, length, model);
        yardsticks.push(text.with_context(|| format!("--yardstick {}", file.display()))?);
    }
    Ok(yardsticks)
}

/// Refuses to read standard input again and again.
fn check_standard_input(candidates: &[Candidate], draws: usize) -> Result<(), BadInput> {
    let sources = candidates.iter().flat_map(|candidate| candidate.recipe.sources());
    let readings = sources.filter(|source| data::is_standard_input(Path::new(source))).count();
    if readings * draws < 2 {
        return Ok(());
    }
    let problem = format!("standard input would be read {} times", readings * draws);
    Err(BadInput::new(problem).hint("write it to a file, or ask for one draw with --seeds 1"))
}

/// Refuses a report that could not be written at the end.
fn check_report(report: Option<&Path>) -> Result<(), BadInput> {
    let folder = report.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            Err(BadInput::new(format!("--report: {} is no folder", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Refuses candidates that would be judged on what they are drawn from.
fn check_apart(
    judging: &JudgingOptions,
    candidates: &[Candidate],
    seeds: &[u64],
) -> Result<(), BadInput> {
    let files: Vec<_> = judging.yardstick.iter().map(|file| (file, file.canonicalize())).collect();
    if let Some(place) = (1..files.len()).find(|&at| judging.yardstick[..at].contains(files[at].0))
    {
        let problem = format!("--yardstick {}: named twice", files[place].0.display());
        return Err(BadInput::new(problem));
    }
    for source in candidates.iter().flat_map(|candidate| candidate.recipe.sources()) {
        let own = PathBuf::from(source).canonicalize();
        let same =
            |file: &std::io::Result<PathBuf>| matches!((file, &own), (Ok(a), Ok(b)) if a == b);
        if let Some((file, _)) = files.iter().find(|(_, path)| same(path)) {
            let problem = format!("{} is a candidate and a yardstick", file.display());
            let hint = "divide the file, and draw from one part and judge on the other";
            return Err(BadInput::new(problem).hint(hint));
        }
        if calib::sources::is_own(source) && seeds.contains(&judging.yardstick_seed) {
            let problem = format!(
                "--yardstick-seed {} is among the seeds of the draws: the model's text would be \
                 judged on itself",
                judging.yardstick_seed
            );
            return Err(BadInput::new(problem).hint("choose another --yardstick-seed"));
        }
    }
    Ok(())
}
