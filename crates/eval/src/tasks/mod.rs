//! Tasks: one file each.
//!
//! To add a task, write its file and add its line to [`TASKS`]. A task makes a [`Question`] of a
//! record; everything else (files, examples, scoring, metrics) is the same for all.

mod arc;
mod boolq;
mod choose;
mod copa;
mod examples;
mod files;
mod hellaswag;
mod lambada_openai;
mod mmlu;
mod openbookqa;
mod piqa;
mod queries;
mod question;
mod rte;
mod sciq;
mod template;
pub(crate) mod text;
mod user;
mod winogrande;

use std::path::PathBuf;

use crate::Result;
use crate::records::Record;

pub use choose::{Chosen, choose};
pub use files::DataFiles;
pub use queries::{Asking, EXAMPLES_SEED, Queries};
pub use question::{Query, Question};
pub use user::UserTask;

/// What is computed of the answers to a task's questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Metric {
    /// Share of the questions whose right choice is the most probable, the first of equals; where
    /// there is one continuation alone, whether the model would write it.
    #[serde(rename = "acc")]
    Accuracy,
    /// The same, log-likelihoods divided by the characters of the choice.
    #[serde(rename = "acc_norm")]
    AccuracyNorm,
    /// `exp` of the mean negative log-likelihood of the continuations.
    #[serde(rename = "perplexity")]
    Perplexity,
}

/// How the solved examples before a question are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Drawn at random for every question, the harness's `default`.
    Drawn,
    /// The same, but one more is drawn and the question itself, should it be among them, left out: what
    /// the harness does for tasks without a test split.
    DrawnApart,
    /// The first of the file, or of the question's part; the harness's `first_n`.
    First,
}

/// A set of questions with known answers.
pub trait Task: Sync {
    /// The name users give; that of lm-evaluation-harness where the task is one of its.
    fn name(&self) -> &str;

    /// What it is, in one line.
    fn summary(&self) -> &str;

    /// What it does, when to use it, its parameters, cost and reference, under these headings.
    fn explanation(&self) -> &str;

    /// Grows whenever figures of the task change; the harness's where the task is one of its.
    fn version(&self) -> u32;

    /// The names its data files may have, without what follows them (`_1000`, `_validation`,
    /// `.jsonl`).
    fn files(&self) -> Vec<&str> {
        vec![self.name()]
    }

    /// The hub's split that the questions are taken from, `validation` or `test`; the harness's.
    fn split(&self) -> &str {
        "validation"
    }

    /// How solved examples are chosen.
    fn sampler(&self) -> Sampler {
        if self.split() == "test" { Sampler::Drawn } else { Sampler::DrawnApart }
    }

    /// The file of its questions and that of its solved examples, where the task names them itself.
    fn own_files(&self) -> Option<[Option<PathBuf>; 2]> {
        None
    }

    /// What is computed; the first is the one that groups of tasks take the mean of.
    fn metrics(&self) -> &[Metric];

    /// The question that a record asks.
    ///
    /// # Errors
    /// When a field is missing or holds something else than it should; file, line and field are
    /// named.
    fn question(&self, record: &Record) -> Result<Question>;

    /// The part of the task that a record belongs to, where it has parts.
    ///
    /// # Errors
    /// As [`Task::question`].
    fn part(&self, record: &Record) -> Result<Option<String>> {
        let _ = record;
        Ok(None)
    }

    /// Areas with the parts that belong to each.
    fn areas(&self) -> &[(&'static str, &'static [&'static str])] {
        &[]
    }
}

/// Every task, in the order they are listed to users.
pub const TASKS: &[&dyn Task] = &[
    &boolq::BoolQ,
    &piqa::Piqa,
    &hellaswag::HellaSwag,
    &winogrande::WinoGrande,
    &arc::ArcEasy,
    &arc::ArcChallenge,
    &openbookqa::OpenBookQa,
    &sciq::SciQ,
    &rte::Rte,
    &copa::Copa,
    &lambada_openai::Lambada,
    &mmlu::Mmlu,
];

/// Tasks that are quoted together, as a mean.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The name users give.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Its tasks.
    pub tasks: &'static [&'static str],
}

/// Every group, in the order they are listed to users.
pub const GROUPS: &[Group] = &[
    Group {
        name: "commonsense",
        summary: "the seven tasks of the paper on calibration data (Ji et al., 2025)",
        tasks: &["boolq", "winogrande", "piqa", "hellaswag", "arc_easy", "arc_challenge", "mmlu"],
    },
    Group {
        name: "wanda",
        summary: "the seven tasks of the Wanda paper (Sun et al., 2024)",
        tasks: &[
            "boolq",
            "rte",
            "hellaswag",
            "winogrande",
            "arc_easy",
            "arc_challenge",
            "openbookqa",
        ],
    },
];

impl Metric {
    /// The name in tables and reports, the harness's.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "acc",
            Metric::AccuracyNorm => "acc_norm",
            Metric::Perplexity => "perplexity",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::records::record;

    pub(super) fn question(task: &dyn Task, fields: Value) -> Question {
        task.question(&record(fields)).unwrap()
    }

    pub(super) fn refusal(task: &dyn Task, fields: Value) -> String {
        let error = task.question(&record(fields)).unwrap_err();
        assert!(error.is_bad_input());
        let text = error.to_string();
        assert!(text.starts_with("test.jsonl, line 3: "), "{text}");
        text
    }

    #[test]
    fn every_task_says_what_it_is_and_refuses_an_empty_record() {
        let mut names: Vec<_> = TASKS.iter().map(|task| task.name()).collect();
        for task in TASKS {
            assert!(!task.metrics().is_empty() && task.version() > 0, "{}", task.name());
            for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
                assert!(task.explanation().contains(heading), "{}: {heading}", task.name());
            }
            assert!(refusal(*task, serde_json::json!({})).contains("no field"));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TASKS.len());
    }

    #[test]
    fn the_tasks_of_groups_exist() {
        for name in GROUPS.iter().flat_map(|group| group.tasks) {
            assert!(TASKS.iter().any(|task| task.name() == *name), "{name}");
        }
    }
}
