//! The data files of tasks.

use std::path::{Path, PathBuf};

use super::{Sampler, Task};
use crate::{Error, Result};

/// What may follow a task's name in the name of its data file.
const SPLITS: [&str; 4] = ["validation", "val", "test", "eval"];

/// What follows it in the name of the file of its examples.
const EXAMPLES: [&str; 3] = ["dev", "train", "shots"];

/// Where the data of tasks is.
#[derive(Clone, Debug)]
pub struct DataFiles {
    folder: Option<PathBuf>,
    files: Vec<DataFile>,
}

/// One set of records: a file, or the shards of one.
#[derive(Clone, Debug)]
struct DataFile {
    /// The file's name without extensions; of a file in a folder within, `FOLDER_FILE`.
    name: String,
    /// The shards in order.
    paths: Vec<PathBuf>,
    /// How many shards there should be.
    shards: usize,
}

impl DataFiles {
    /// The files of a folder and of the folders in it; none where tasks bring files of their own.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self { folder: None, files: Vec::new() }) };
        let mut files: Vec<DataFile> = Vec::new();
        for path in entries(folder)? {
            let prefix = match path.is_dir() {
                true => path.file_name().map(|name| format!("{}_", name.to_string_lossy())),
                false => None,
            };
            let paths = if path.is_dir() { entries(&path)? } else { vec![path] };
            for path in paths.into_iter().filter(|path| path.is_file()) {
                let Some(name) = data::record_name(&path) else { continue };
                let (name, shards) = whole_name(&name);
                let name = format!("{}{name}", prefix.as_deref().unwrap_or_default());
                let is_next =
                    |file: &&mut DataFile| shards > 1 && file.name == name && file.shards == shards;
                match files.last_mut().filter(is_next) {
                    Some(file) => file.paths.push(path),
                    None => files.push(DataFile { name, paths: vec![path], shards }),
                }
            }
        }
        Ok(Self { folder: Some(folder.into()), files })
    }

    /// The file of a task's questions, or its shards: `NAME.jsonl` (or another extension), `NAME_`
    /// with `validation`, `val`, `test`, `eval` or a number, or one of these in a folder `NAME`. Of
    /// several the one that is named after the task's split.
    ///
    /// # Errors
    /// When there is none, more than one, or a shard is missing.
    pub fn questions(&self, task: &dyn Task) -> Result<Vec<PathBuf>> {
        if let Some([Some(own), _]) = task.own_files() {
            return Ok(vec![own]);
        }
        self.find(task, ("", task.split()), |rest| {
            let is_number = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
            rest.is_empty() || is_number || SPLITS.contains(&rest)
        })
    }

    /// The file of the solved examples: `NAME_` with `dev`, `train` or `shots`, or one of these in a
    /// folder `NAME`. Of several `dev` where the first examples are taken, else `train`.
    ///
    /// # Errors
    /// As [`DataFiles::questions`].
    pub fn examples(&self, task: &dyn Task) -> Result<Vec<PathBuf>> {
        if let Some([_, own]) = task.own_files() {
            let own = own.ok_or_else(|| Error::NoExamples { task: task.name().to_owned() })?;
            return Ok(vec![own]);
        }
        let (usual, preferred) = match task.sampler() {
            Sampler::First => ("_dev", "dev"),
            _ => ("_train", "train"),
        };
        self.find(task, (usual, preferred), |rest| EXAMPLES.contains(&rest))
    }

    /// The file named after the task and what `is_ending` allows; the `preferred` ending of several.
    fn find(
        &self,
        task: &dyn Task,
        (usual, preferred): (&str, &str),
        is_ending: impl Fn(&str) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let task_name = || task.name().to_owned();
        let no_folder = || Error::NoTaskFolder { task: task_name() };
        let folder = self.folder.as_ref().ok_or_else(no_folder)?;
        let names = task.files();
        let is_it = |file: &&DataFile| file.ending(&names).is_some_and(&is_ending);
        let found: Vec<&DataFile> = self.files.iter().filter(is_it).collect();
        let best: Vec<&DataFile> =
            found.iter().copied().filter(|file| file.ending(&names) == Some(preferred)).collect();
        match (&found[..], &best[..]) {
            ([one], _) | (_, [one]) => one.complete(task),
            ([], _) => Err(Error::NoTaskData {
                task: task_name(),
                folder: folder.clone(),
                file: format!("{}{usual}.jsonl", names[0]),
            }),
            _ => Err(Error::TwoTaskFiles {
                task: task_name(),
                files: found.iter().map(|file| file.paths[0].display().to_string()).collect(),
            }),
        }
    }
}

impl DataFile {
    /// What follows one of `names` and a dash in the file's name; nothing where it is no file of them.
    fn ending(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| match self.name.strip_prefix(name)? {
            "" => Some(""),
            rest => rest.strip_prefix(['_', '-']),
        })
    }

    fn complete(&self, task: &dyn Task) -> Result<Vec<PathBuf>> {
        match self.paths.len() == self.shards {
            true => Ok(self.paths.clone()),
            false => Err(Error::MissingShards {
                task: task.name().to_owned(),
                file: self.paths[0].clone(),
                expected: self.shards,
                found: self.paths.len(),
            }),
        }
    }
}

/// What a folder holds, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::Text(data::Error::Io { path: folder.into(), source });
    let paths = folder.read_dir().map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// `validation-00000-of-00003` is a shard of `validation`, which has three.
fn whole_name(name: &str) -> (&str, usize) {
    let shard = || {
        let (rest, of) = name.rsplit_once("-of-")?;
        let (whole, number) = rest.rsplit_once('-')?;
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        let of = Some(of).filter(|of| is_number(of) && is_number(number))?;
        Some((whole, of.parse().ok().filter(|&of: &usize| of > 0)?))
    };
    shard().unwrap_or((name, 1))
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
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
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
            assert!(files.questions(task(name)).unwrap()[0].ends_with(expected), "{name}");
        }
        assert!(files.examples(task("mmlu")).unwrap()[0].ends_with("mmlu_dev.jsonl"));
    }

    #[test]
    fn folders_of_the_hub_are_read_by_split_shard_after_shard() {
        let (_folder, files) = folder(&[
            "boolq/train-00000-of-00001.parquet",
            "boolq/validation-00000-of-00002.parquet",
            "boolq/validation-00001-of-00002.parquet",
            "boolq/test-00000-of-00001.parquet",
            "ARC-Easy/test-00000-of-00001.parquet",
            "ARC-Easy/validation-00000-of-00001.parquet",
            "mmlu/dev-00000-of-00001.parquet",
            "mmlu/auxiliary_train-00000-of-00001.parquet",
            "rte/validation-00001-of-00002.parquet",
        ]);
        let names = |paths: Vec<PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect()
        };
        assert_eq!(
            names(files.questions(task("boolq")).unwrap()),
            ["validation-00000-of-00002", "validation-00001-of-00002"]
        );
        assert_eq!(names(files.examples(task("boolq")).unwrap()), ["train-00000-of-00001"]);
        // the harness asks arc's test split
        assert_eq!(names(files.questions(task("arc_easy")).unwrap()), ["test-00000-of-00001"]);
        assert_eq!(names(files.examples(task("mmlu")).unwrap()), ["dev-00000-of-00001"]);
        let error = files.questions(task("rte")).unwrap_err().to_string();
        assert!(error.contains("2 shards expected, 1 found"), "{error}");
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
