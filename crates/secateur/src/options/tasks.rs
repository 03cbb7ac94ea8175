//! Which tasks a model is asked, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which tasks a model is asked, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tasks")]
pub(crate) struct TaskOptions {
    /// Tasks, groups of tasks or .toml files of your own, with commas between them; may be given
    /// several times
    ///
    /// `secateur list tasks` and `secateur list groups` show them. mmlu_SUBJECT and mmlu_AREA ask a
    /// part of mmlu.
    #[arg(long, value_name = "NAMES")]
    pub(crate) tasks: Vec<String>,

    /// The folder with the tasks' data: NAME.jsonl, .json, .parquet or .arrow with the hub's field
    /// names, or folders NAME of such files as the hub has them
    ///
    /// The name may go on with _validation, _test or a number; validation-00000-of-00002.parquet and
    /// its like are read one after the other.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) task_data: Option<PathBuf>,

    /// Ask the first N questions of each task, or of each subject of mmlu, alone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,

    /// Solved examples before every question, from NAME_train.jsonl (or another extension)
    ///
    /// Drawn anew for every question, as lm-evaluation-harness draws them; of mmlu the first K of the
    /// subject in mmlu_dev.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) shots: u32,

    /// Seed of the draw of solved examples; 1234, the harness's, unless given
    #[arg(long, value_name = "SEED", requires = "shots")]
    pub(crate) shots_seed: Option<u64>,

    /// List the questions that one of two models answers rightly and the other does not
    #[arg(long)]
    pub(crate) flips: bool,

    /// Write every question's answers to this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
}

/// How results are laid out for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a terminal
    #[default]
    Text,
    /// Markdown tables
    Markdown,
}

impl TaskOptions {
    /// The first option that says something about tasks where none is named.
    pub(crate) fn idle(&self) -> Option<&'static str> {
        let given = [
            ("--task-data", self.task_data.is_some()),
            ("--limit", self.limit.is_some()),
            ("--shots", self.shots > 0),
            ("--shots-seed", self.shots_seed.is_some()),
            ("--flips", self.flips),
            ("--answers", self.answers.is_some()),
        ];
        let idle = given.into_iter().find(|(_, given)| *given && self.tasks.is_empty());
        idle.map(|(option, _)| option)
    }

    /// The names given.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.tasks.iter().flat_map(|names| names.split(','));
        names.map(|name| name.trim().to_owned()).collect()
    }
}
