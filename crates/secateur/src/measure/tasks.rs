//! Questions with known answers, asked of one model or two.

use std::path::{Path, PathBuf};

use anyhow::Context;
use eval::scorer::{Answer, ModelScorer, Scorer};
use eval::tasks::{Asking, DataFiles, EXAMPLES_SEED, Group, Metric, Queries, Sampler, choose};
use eval::{Comparison, Estimate, Flip, TaskFigures};
use lm::{Model, Observer, scoring};
use serde_json::{Value, json};

use crate::failure::BadInput;
use crate::options::TaskOptions;

/// What is asked.
pub(crate) struct Suite {
    pub(super) tasks: Vec<Queries>,
    pub(super) groups: Vec<Group>,
    pub(super) asking: Asking,
    pub(super) list_flips: bool,
    answers: Option<PathBuf>,
}

/// What was asked and what one model or two answered.
pub(crate) struct TaskFacts {
    pub(super) suite: Suite,
    /// The models' names.
    pub(super) models: Vec<String>,
    /// Of every model, in order, the figures of every task.
    pub(super) figures: Vec<Vec<TaskFigures>>,
    pub(super) dtype: &'static str,
    /// Whether the tokenizer puts a token of its own before a text.
    pub(super) bos: bool,
}

impl Suite {
    /// Reads the questions that the options ask for; nothing where they name no task.
    ///
    /// # Errors
    /// When a task is unknown, its data cannot be read, or an option has nothing to act on.
    pub(crate) fn read(options: &TaskOptions, models: usize) -> anyhow::Result<Option<Self>> {
        if let Some(idle) = options.idle() {
            let problem = format!("{idle} is about tasks, and none is named");
            return Err(BadInput::new(problem).hint("name some with --tasks").into());
        }
        if options.tasks.is_empty() {
            return Ok(None);
        }
        if options.flips && models < 2 {
            let problem = "--flips compares two models, and one is given";
            return Err(BadInput::new(problem).hint("name the dense model first").into());
        }
        let chosen = choose(&options.names())?;
        let files = DataFiles::open(options.task_data.as_deref())?;
        let asking = Asking {
            limit: options.limit.map(|limit| limit as usize),
            shots: options.shots as usize,
            seed: options.shots_seed.unwrap_or(EXAMPLES_SEED),
        };
        let read = |chosen| Queries::read(chosen, &files, asking);
        Ok(Some(Self {
            tasks: chosen.tasks.into_iter().map(read).collect::<eval::Result<_>>()?,
            groups: chosen.groups,
            asking,
            list_flips: options.flips,
            answers: options.answers.clone(),
        }))
    }

    /// The figures of one model: every question of every task.
    ///
    /// # Errors
    /// When a question cannot be scored, the model cannot be read or does not fit the memory, or
    /// the user stopped it.
    pub(crate) fn measure(
        &self,
        model: &Model,
        options: &scoring::Options,
        observer: &dyn Observer,
    ) -> anyhow::Result<Vec<TaskFigures>> {
        let queries: Vec<_> = self.tasks.iter().flat_map(|task| &task.queries).collect();
        let answers = ModelScorer { model, options, observer }.score(&queries);
        let mut answers = answers.context("the tasks cannot be scored")?.into_iter();
        let figures = |task: &Queries| {
            TaskFigures::new(task, answers.by_ref().take(task.queries.len()).collect())
        };
        Ok(self.tasks.iter().map(figures).collect())
    }
}

impl TaskFacts {
    pub(crate) fn new(
        suite: Suite,
        models: Vec<String>,
        figures: Vec<Vec<TaskFigures>>,
        model: &Model,
        dtype: &'static str,
    ) -> anyhow::Result<Self> {
        let tokenizer = &model.checkpoint().tokenizer;
        let bos = tokenizer.bos.is_some()
            && tokenizer.encode("a", true)?.first() == tokenizer.bos.as_ref();
        Ok(Self { suite, models, figures, dtype, bos })
    }

    /// Both models' answers to one task, where there are two models.
    fn pair(&self, task: usize) -> Option<[&[Answer]; 2]> {
        match &self.figures[..] {
            [first, second] => Some([&first[task].answers, &second[task].answers]),
            _ => None,
        }
    }

    /// How much better the second model is at a task.
    pub(super) fn comparison(&self, task: usize, metric: Metric) -> Option<Comparison> {
        let queries = &self.suite.tasks[task];
        self.pair(task).map(|answers| eval::comparison(metric, queries, answers))
    }

    /// The questions of a task that flip under its first metric.
    pub(super) fn flips(&self, task: usize) -> Vec<Flip> {
        let queries = &self.suite.tasks[task];
        let metric = queries.chosen.task.metrics()[0];
        self.pair(task).map_or(Vec::new(), |answers| eval::flips(metric, queries, answers))
    }

    /// The tasks of a group.
    pub(super) fn members(&self, group: &Group) -> Vec<usize> {
        let place =
            |name: &&str| self.suite.tasks.iter().position(|task| task.chosen.name == *name);
        group.tasks.iter().filter_map(place).collect()
    }

    /// The mean over a group of a model's first figures.
    pub(super) fn mean(&self, model: usize, group: &Group) -> Estimate {
        let figure = |task: usize| self.figures[model][task].figures[0].estimate;
        Estimate::mean(&self.members(group).into_iter().map(figure).collect::<Vec<_>>())
    }

    /// How much better the second model is on the mean over a group.
    pub(super) fn mean_comparison(&self, group: &Group) -> Option<Comparison> {
        let metric = |task: usize| self.suite.tasks[task].chosen.task.metrics()[0];
        let members = self.members(group);
        let each = members.into_iter().map(|task| self.comparison(task, metric(task)));
        each.collect::<Option<Vec<_>>>().map(|each| eval::mean_comparison(&each))
    }

    /// The facts for the report.
    pub(crate) fn json(&self) -> Value {
        let tasks = (0..self.suite.tasks.len()).map(|task| self.task_json(task));
        let groups = self.suite.groups.iter().map(|group| {
            let means = self
                .models
                .iter()
                .enumerate()
                .map(|(index, model)| json!({"model": model, "mean": self.mean(index, group)}));
            json!({
                "group": group.name,
                "tasks": group.tasks,
                "models": means.collect::<Vec<_>>(),
                "difference": self.mean_comparison(group),
            })
        });
        json!({"tasks": tasks.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>()})
    }

    fn task_json(&self, index: usize) -> Value {
        let queries = &self.suite.tasks[index];
        let models = self.models.iter().zip(&self.figures);
        let models =
            models.map(|(model, figures)| json!({"model": model, "result": figures[index]}));
        let metrics = queries.chosen.task.metrics().iter();
        let differences = metrics.filter_map(|&metric| {
            let difference = self.comparison(index, metric)?;
            Some(json!({"metric": metric, "difference": difference}))
        });
        let mut task = json!({
            "task": queries.chosen.name,
            "version": queries.chosen.task.version(),
            "files": queries.files,
            "questions": queries.queries.len(),
            "available": queries.available,
            "shots": self.shots(index),
            "dtype": self.dtype,
            "bos": self.bos,
            "models": models.collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
        });
        if self.suite.list_flips {
            task["flips"] = json!(self.flips(index));
        }
        task
    }

    /// How many solved examples stood before every question, and where they come from.
    fn shots(&self, index: usize) -> Value {
        let Asking { shots, seed, .. } = self.suite.asking;
        let queries = &self.suite.tasks[index];
        match (shots, queries.chosen.task.sampler()) {
            (0, _) => json!({"count": 0}),
            (_, sampler @ Sampler::First) => {
                json!({"count": shots, "files": queries.examples, "sampler": sampler})
            }
            (_, sampler) => json!({
                "count": shots,
                "files": queries.examples,
                "sampler": sampler,
                "seed": seed,
            }),
        }
    }

    /// Writes every question's answers to the file that was asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write_answers(&self) -> anyhow::Result<()> {
        let Some(path) = &self.suite.answers else { return Ok(()) };
        let lines: String = (0..self.suite.tasks.len()).map(|task| self.lines(task)).collect();
        write(path, &lines)
            .with_context(|| format!("the answers cannot be written to {}", path.display()))
    }

    /// One line of JSON for every question of a task.
    fn lines(&self, index: usize) -> String {
        let queries = &self.suite.tasks[index];
        let line = |(number, query): (usize, &eval::tasks::Query)| {
            let answers = self.figures.iter().map(|tasks| &tasks[index].answers[number]);
            let line = json!({
                "task": queries.chosen.task.name(),
                "part": query.part,
                "place": query.place.to_string(),
                "number": query.place.number,
                "gold": query.gold,
                "examples": query.examples,
                "answers": answers.collect::<Vec<_>>(),
            });
            format!("{line}\n")
        };
        queries.queries.iter().enumerate().map(line).collect()
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}
