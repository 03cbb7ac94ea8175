//! The data files of tasks.

use std::path::{Path, PathBuf};

use super::Task;
use crate::{Error, Result};

/// What may follow a task's name in the name of its data file.
const SPLITS: [&str; 4] = ["validation", "val", "test", "eval"];

/// What follows it in the name of the file of its examples.
const EXAMPLES: [&str; 3] = ["dev", "train", "shots"];

/// The extensions of files that can be read.
const EXTENSIONS: [&str; 2] = ["jsonl", "json"];

/// Where the data of tasks is.
#[derive(Clone, Debug)]
pub struct DataFiles {
    folder: Option<PathBuf>,
    /// Every readable file: its name without the extension, its path.
    files: Vec<(String, PathBuf)>,
}

impl DataFiles {
    /// The files of a folder; none where tasks bring files of their own.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self { folder: None, files: Vec::new() }) };
        let failed = |source| Error::Text(data::Error::Io { path: folder.into(), source });
        let mut files = Vec::new();
        for entry in folder.read_dir().map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(stem), true) = (stem, extension.is_some_and(|e| EXTENSIONS.contains(&e))) {
                files.push((stem.to_owned(), path.clone()));
            }
        }
        files.sort();
        Ok(Self { folder: Some(folder.into()), files })
    }

    /// The file of a task's questions: `NAME.jsonl`, or `NAME_` with `validation`, `val`, `test`,
    /// `eval` or a number.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn questions(&self, task: &dyn Task) -> Result<PathBuf> {
        if let Some([Some(own), _]) = task.own_files() {
            return Ok(own);
        }
        self.find(task, "", |rest| {
            let is_number = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
            rest.is_empty() || is_number || SPLITS.contains(&rest)
        })
    }

    /// The file of the solved examples: `NAME_` with `dev`, `train` or `shots`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn examples(&self, task: &dyn Task) -> Result<PathBuf> {
        if let Some([_, own]) = task.own_files() {
            return own.ok_or_else(|| Error::NoExamples { task: task.name().to_owned() });
        }
        self.find(task, "_dev", |rest| EXAMPLES.contains(&rest))
    }

    fn find(&self, task: &dyn Task, usual: &str, ending: impl Fn(&str) -> bool) -> Result<PathBuf> {
        let task_name = || task.name().to_owned();
        let no_folder = || Error::NoTaskFolder { task: task_name() };
        let folder = self.folder.as_ref().ok_or_else(no_folder)?;
        let names = task.files();
        let is_it = |(stem, _): &&(String, PathBuf)| {
            names.iter().any(|name| match stem.strip_prefix(name) {
                Some("") => ending(""),
                Some(rest) => rest.strip_prefix(['_', '-']).is_some_and(&ending),
                None => false,
            })
        };
        let found: Vec<&Path> = self.files.iter().filter(is_it).map(|(_, p)| p.as_path()).collect();
        match found[..] {
            [one] => Ok(one.to_owned()),
            [] => Err(Error::NoTaskData {
                task: task_name(),
                folder: folder.clone(),
                file: format!("{}{usual}.jsonl", names[0]),
            }),
            _ => Err(Error::TwoTaskFiles {
                task: task_name(),
                files: found.iter().map(|path| path.display().to_string()).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::TASKS;

    fn task(name: &str) -> &'static dyn Task {
        *TASKS.iter().find(|task| task.name() == name).unwrap()
    }

    fn folder(names: &[&str]) -> (tempfile::TempDir, DataFiles) {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), "{}").unwrap());
        let files = DataFiles::open(Some(folder.path())).unwrap();
        (folder, files)
    }

    #[test]
    fn files_are_found_by_the_names_people_give_them() {
        let (_folder, files) = folder(&[
            "boolq.jsonl",
            "hellaswag_1000.jsonl",
            "lambada_test.json",
            "mmlu_test.jsonl",
            "mmlu_dev.jsonl",
            "arc_easy-validation.jsonl",
            "notes.txt",
        ]);
        for (name, expected) in [
            ("boolq", "boolq.jsonl"),
            ("hellaswag", "hellaswag_1000.jsonl"),
            ("lambada_openai", "lambada_test.json"),
            ("mmlu", "mmlu_test.jsonl"),
            ("arc_easy", "arc_easy-validation.jsonl"),
        ] {
            assert!(files.questions(task(name)).unwrap().ends_with(expected), "{name}");
        }
        assert!(files.examples(task("mmlu")).unwrap().ends_with("mmlu_dev.jsonl"));
    }

    #[test]
    fn missing_and_ambiguous_files_are_named() {
        let (_folder, files) = folder(&["boolq.jsonl", "boolq_test.jsonl"]);
        let error = files.questions(task("boolq")).unwrap_err().to_string();
        assert!(error.contains("boolq.jsonl") && error.contains("boolq_test.jsonl"), "{error}");
        let error = files.questions(task("piqa")).unwrap_err().to_string();
        assert!(error.contains("piqa.jsonl"), "{error}");
        let error = files.examples(task("mmlu")).unwrap_err().to_string();
        assert!(error.contains("mmlu_dev.jsonl"), "{error}");
        assert!(DataFiles::open(Some(Path::new("/does/not/exist"))).is_err());
        let error = DataFiles::open(None).unwrap().questions(task("rte")).unwrap_err();
        assert!(error.to_string().contains("--task-data"), "{error}");
    }
}
