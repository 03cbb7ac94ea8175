//! From the records of a file to what a model is asked.

use std::collections::HashMap;
use std::path::PathBuf;

use super::choose::ChosenTask;
use super::examples::{Chosen, Examples};
use super::{DataFiles, Query, Task};
use crate::records;
use crate::{Error, Result};

/// The seed of the draw of examples, unless another is given: the harness's.
pub const EXAMPLES_SEED: u64 = 1234;

/// How many questions are asked, after how many examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The first so many questions of a task, or of each of its parts; all where this is nothing.
    pub limit: Option<usize>,
    /// Solved examples before every question.
    pub shots: usize,
    /// Seed of their draw, for tasks whose examples are drawn.
    pub seed: u64,
}

impl Default for Asking {
    fn default() -> Self {
        Self { limit: None, shots: 0, seed: EXAMPLES_SEED }
    }
}

/// What a model is asked of one task.
pub struct Queries {
    /// The task and what was chosen of it.
    pub chosen: ChosenTask,
    /// The file that holds the questions, or its shards.
    pub files: Vec<PathBuf>,
    /// The file that holds the examples, where there are any, or its shards.
    pub examples: Vec<PathBuf>,
    /// How many questions the file holds for what was chosen.
    pub available: usize,
    /// The questions.
    pub queries: Vec<Query>,
}

impl Queries {
    /// Reads the questions of a task.
    ///
    /// # Errors
    /// When a file is missing or cannot be read, a record does not ask a question of the task, or
    /// there are fewer examples than `asking` wants.
    pub fn read(chosen: ChosenTask, files: &DataFiles, asking: Asking) -> Result<Self> {
        let task: &dyn Task = &*chosen.task;
        let paths = files.questions(task)?;
        let example_paths = if asking.shots > 0 { files.examples(task)? } else { Vec::new() };
        let examples = (asking.shots > 0).then(|| Examples::read(task, &example_paths, asking));
        let mut examples = examples.transpose()?;
        let (mut queries, mut available) = (Vec::new(), 0);
        let mut taken: HashMap<Option<String>, usize> = HashMap::new();
        for record in records::read(&paths)? {
            let part = task.part(&record)?;
            if !chosen.has(part.as_deref()) {
                continue;
            }
            available += 1;
            let taken = taken.entry(part.clone()).or_default();
            if asking.limit.is_some_and(|limit| *taken >= limit) {
                continue;
            }
            *taken += 1;
            let before = examples.as_mut().map(|e| e.before(&record, part.as_deref()));
            let Chosen { text, numbers } = before.transpose()?.unwrap_or_default();
            let place = record.place().clone();
            queries.push(task.question(&record)?.query(&text, numbers, part, place));
        }
        match queries.is_empty() {
            true => Err(Error::NoQuestions { task: chosen.name.clone(), file: paths[0].clone() }),
            false => Ok(Self { chosen, files: paths, examples: example_paths, available, queries }),
        }
    }
}

impl ChosenTask {
    fn has(&self, part: Option<&str>) -> bool {
        let parts = self.parts.as_ref();
        parts.is_none_or(|parts| part.is_some_and(|part| parts.contains(&part)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::tasks::choose;

    fn mmlu(number: usize, subject: &str) -> String {
        let choices = ["w", "x", "y", "z"];
        let question = format!("{subject} {number}?");
        json!({"question": question, "subject": subject, "choices": choices, "answer": number % 4})
            .to_string()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let records = |count: usize| {
            let of = |subject| (0..count).map(move |number| mmlu(number, subject));
            of("anatomy").chain(of("virology")).collect::<Vec<_>>().join("\n")
        };
        fs::write(folder.path().join("mmlu_test.jsonl"), records(5)).unwrap();
        fs::write(folder.path().join("mmlu_dev.jsonl"), records(3)).unwrap();
        folder
    }

    fn read(name: &str, asking: Asking) -> Result<Queries> {
        let folder = folder();
        let files = DataFiles::open(Some(folder.path()))?;
        let chosen = choose(&[name.to_owned()])?.tasks.remove(0);
        Queries::read(chosen, &files, asking)
    }

    #[test]
    fn limits_hold_for_every_part() {
        let all = read("mmlu", Asking::default()).unwrap();
        assert_eq!((all.queries.len(), all.available), (10, 10));
        let some = read("mmlu", Asking { limit: Some(2), ..Asking::default() }).unwrap();
        assert_eq!((some.queries.len(), some.available), (4, 10));
        let part = read("mmlu_virology", Asking { limit: Some(3), ..Asking::default() }).unwrap();
        assert_eq!((part.queries.len(), part.available), (3, 5));
        assert!(part.queries.iter().all(|query| query.part.as_deref() == Some("virology")));
    }

    #[test]
    fn examples_of_the_same_part_stand_between_header_and_question() {
        let asked = read("mmlu", Asking { limit: Some(1), shots: 2, ..Asking::default() }).unwrap();
        let expected = "The following are multiple choice questions (with answers) about \
            virology.\n\nvirology 0?\nA. w\nB. x\nC. y\nD. z\nAnswer: A\n\nvirology 1?\nA. w\nB. \
            x\nC. y\nD. z\nAnswer: B\n\nvirology 0?\nA. w\nB. x\nC. y\nD. z\nAnswer:";
        assert_eq!(asked.queries[1].contexts[3], expected);
        assert!(asked.examples[0].ends_with("mmlu_dev.jsonl"));
        assert_eq!(asked.queries[1].examples, [4, 5]);
    }

    #[test]
    fn too_few_examples_and_absent_parts_are_refused() {
        let refused = |name, shots| match read(name, Asking { shots, ..Asking::default() }) {
            Ok(_) => panic!("{name} {shots}"),
            Err(error) => error.to_string(),
        };
        let error = refused("mmlu", 4);
        assert!(error.contains("4 examples of anatomy expected"), "{error}");
        assert!(error.contains("3 found") && error.contains("mmlu_test.jsonl, line 1"), "{error}");
        assert!(refused("mmlu_sociology", 0).contains("mmlu_test.jsonl"));
    }

    #[test]
    fn a_task_of_the_user_brings_its_own_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let head = "data = 'd.jsonl'\ncontext = '{q}?'\nchoices = ['no', 'yes']\ngold = 'g'\n";
        write("own.toml", &format!("{head}shots = 's.jsonl'"));
        write("bare.toml", head);
        write("d.jsonl", "{\"q\": \"wet\", \"g\": 1}");
        write("s.jsonl", "{\"q\": \"dry\", \"g\": \"no\"}");
        let read = |name: &str, shots| {
            let name = folder.path().join(name).display().to_string();
            let chosen = choose(&[name]).unwrap().tasks.remove(0);
            let asking = Asking { shots, ..Asking::default() };
            Queries::read(chosen, &DataFiles::open(None).unwrap(), asking)
        };
        let asked = read("own.toml", 1).unwrap();
        assert_eq!(asked.queries[0].contexts[1], "dry? no\n\nwet?");
        assert_eq!((asked.chosen.name.as_str(), asked.queries[0].gold), ("own", 1));
        let Err(error) = read("bare.toml", 1) else { panic!("no examples") };
        assert!(error.to_string().contains("shots = "), "{error}");
    }
}
