//! A task of the user's own, from a small TOML file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::template::Template;
use super::{Metric, Question, Sampler, Task};
use crate::records::Record;
use crate::{Error, Result};

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Definition {
    /// The name in tables; the file's own unless given.
    name: Option<String>,
    #[serde(default = "one")]
    version: u32,
    /// The data: a file beside this one.
    data: PathBuf,
    /// The solved examples for --shots: a file beside this one.
    shots: Option<PathBuf>,
    /// How the examples are chosen: `first`, `drawn` or `drawn-apart` (never the question itself).
    #[serde(default = "first")]
    sampler: Sampler,
    /// The text before every choice; `{field}` stands for a field of the record.
    context: String,
    /// Templates of the choices, or the field that lists them.
    choices: Choices,
    /// The field that says which choice is right.
    gold: String,
    /// What that field may say, in the order of the choices (or the field that lists it); a number
    /// from 0, or the text of a choice, unless given.
    labels: Option<Labels>,
    /// What stands between context and choice.
    #[serde(default = "space")]
    delimiter: String,
    #[serde(default = "both")]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choices {
    Templates(Vec<String>),
    Field(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    Texts(Vec<String>),
    Field(String),
}

fn one() -> u32 {
    1
}

fn first() -> Sampler {
    Sampler::First
}

fn space() -> String {
    " ".into()
}

fn both() -> Vec<Metric> {
    vec![Metric::Accuracy, Metric::AccuracyNorm]
}

/// A task from a file.
pub struct UserTask {
    name: String,
    summary: String,
    definition: Definition,
    context: Template,
    choices: Vec<Template>,
    folder: PathBuf,
}

impl UserTask {
    /// Reads a definition.
    ///
    /// # Errors
    /// When the file cannot be read or does not define a task; the file is named, and the key where
    /// there is one.
    pub fn read(path: &Path) -> Result<Self> {
        let io = |source| Error::Text(data::Error::Io { path: path.into(), source });
        let text = fs::read_to_string(path).map_err(io)?;
        let wrong = |problem: String| Error::TaskFile { path: path.into(), problem };
        let definition: Definition =
            toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().into()))?;
        let template = |key: &str, text: &str| {
            Template::parse(text).map_err(|problem| wrong(format!("{key}: {problem}")))
        };
        let choices = match &definition.choices {
            Choices::Templates(choices) if choices.len() < 2 => {
                return Err(wrong(format!(
                    "choices: two or more expected, {} found",
                    choices.len()
                )));
            }
            Choices::Templates(choices) => {
                choices.iter().map(|choice| template("choices", choice)).collect::<Result<_>>()?
            }
            Choices::Field(_) => Vec::new(),
        };
        if definition.metrics.is_empty() || definition.metrics.contains(&Metric::Perplexity) {
            return Err(wrong("metrics: acc, acc_norm or both expected".into()));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            name: definition.name.clone().unwrap_or(stem),
            summary: format!("a task of yours, {}", path.display()),
            context: template("context", &definition.context)?,
            choices,
            folder,
            definition,
        })
    }

    fn gold(&self, record: &Record, choices: &[&str]) -> Result<usize> {
        let field = self.definition.gold.as_str();
        let found = match &self.definition.labels {
            Some(Labels::Texts(labels)) => {
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                record.named_label(field, &labels)?
            }
            Some(Labels::Field(labels)) => record.named_label(field, &record.texts(labels)?)?,
            None if record.number(field).is_ok() => record.label(field, choices.len())?,
            None => record.named_label(field, choices)?,
        };
        match found < choices.len() {
            true => Ok(found),
            false => Err(record.error(format!(
                "{field}: label {} of {} choices",
                found + 1,
                choices.len()
            ))),
        }
    }
}

impl Task for UserTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn summary(&self) -> &str {
        &self.summary
    }

    fn explanation(&self) -> &str {
        &self.summary
    }

    fn version(&self) -> u32 {
        self.definition.version
    }

    fn metrics(&self) -> &[Metric] {
        &self.definition.metrics
    }

    fn sampler(&self) -> Sampler {
        self.definition.sampler
    }

    fn own_files(&self) -> Option<[Option<PathBuf>; 2]> {
        let beside = |file: &PathBuf| self.folder.join(file);
        Some([Some(beside(&self.definition.data)), self.definition.shots.as_ref().map(beside)])
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let context = self.context.fill(record)?;
        let choices: Vec<String> = match &self.definition.choices {
            Choices::Field(field) => record.texts(field)?.into_iter().map(str::to_owned).collect(),
            Choices::Templates(_) => {
                self.choices.iter().map(|choice| choice.fill(record)).collect::<Result<_>>()?
            }
        };
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let gold = self.gold(record, &choices)?;
        Question::delimited(record, context, &self.definition.delimiter, &choices, gold)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::record;

    fn task(text: &str) -> Result<UserTask> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("colours.toml");
        fs::write(&path, text).unwrap();
        UserTask::read(&path)
    }

    const HEAD: &str = "data = 'd.jsonl'\ncontext = 'Q: {q}\\n{{A}}:'\ngold = 'g'\n";

    #[test]
    fn templates_are_filled_with_fields() {
        let text = HEAD.replace('\'', "\"") + "choices = [\"{a} or so\", \"never\"]\nversion = 3";
        let task = task(&text).unwrap();
        let asked = task.question(&record(json!({"q": "why", "a": 7, "g": "never"}))).unwrap();
        assert_eq!((task.name(), task.version()), ("colours", 3));
        assert_eq!(task.sampler(), Sampler::First);
        assert_eq!(asked.contexts[0], "Q: why\n{A}:");
        assert_eq!(
            (&asked.continuations[..], asked.gold),
            (&[" 7 or so".into(), " never".into()][..], 1)
        );
    }

    #[test]
    fn choices_and_labels_may_be_fields() {
        let text = format!(
            "{HEAD}choices = 'c.text'\nlabels = 'c.label'\ndelimiter = ''\nmetrics = ['acc']\n\
             sampler = 'drawn-apart'"
        );
        let task = task(&text).unwrap();
        let fields = json!({"q": "", "c": {"text": ["x", "y"], "label": ["A", "B"]}, "g": "B"});
        let asked = task.question(&record(fields)).unwrap();
        assert_eq!((&asked.continuations[..], asked.gold), (&["x".into(), "y".into()][..], 1));
        assert_eq!(
            (task.metrics(), task.sampler()),
            (&[Metric::Accuracy][..], Sampler::DrawnApart)
        );
        let files = task.own_files().unwrap();
        assert!(files[0].as_ref().unwrap().ends_with("d.jsonl") && files[1].is_none());
    }

    #[test]
    fn definitions_that_define_nothing_are_refused_by_file_and_key() {
        for (text, expected) in [
            ("data = 1".to_owned(), "data"),
            (HEAD.to_owned(), "missing field `choices`"),
            (format!("{HEAD}choices = ['a']"), "two or more expected, 1 found"),
            (format!("{HEAD}choices = ['a', '{{b']"), "choices: {b"),
            (format!("{HEAD}choices = 'c'\nmetric = 'acc'"), "unknown field `metric`"),
            (format!("{HEAD}choices = 'c'\nmetrics = []"), "acc, acc_norm or both expected"),
        ] {
            let Err(error) = task(&text) else { panic!("{text}") };
            let error = error.to_string();
            assert!(error.contains("colours.toml") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn records_that_do_not_fit_are_refused_by_line() {
        let with = |labels: &str| task(&format!("{HEAD}choices = ['a', 'b']\n{labels}")).unwrap();
        let refused = |labels: &str, gold: serde_json::Value| {
            let found = with(labels).question(&record(json!({"q": "", "g": gold})));
            found.unwrap_err().to_string()
        };
        assert!(refused("", json!(2)).contains("line 3: g: 0 to 1 expected, 2 found"));
        assert!(refused("", json!("c")).contains("one of a, b expected"));
        assert!(refused("labels = ['A', 'B', 'C']", json!("C")).contains("label 3 of 2 choices"));
        assert!(with("").question(&record(json!({"g": 0}))).is_err());
    }
}
