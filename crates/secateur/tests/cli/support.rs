//! The real binary on tiny models.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub(crate) use testkit::{Dtype, TinyOptions, tiny_llama};

/// A folder to work in, with a tiny dense model and a text.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A tiny model of the default options.
    pub(crate) fn new() -> Self {
        Self::with(&TinyOptions::default())
    }

    pub(crate) fn with(options: &TinyOptions) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        tiny_llama(&bench.path("dense"), options);
        fs::write(bench.path("text.txt"), text(4000)).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary, run in the folder, with caches of its own.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secateur"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("HF_HOME", self.path("hub")).env("HF_HUB_OFFLINE", "1");
        command.env("SECATEUR_CACHE", self.path("cache")).env_remove("COLUMNS");
        command
    }

    /// Runs a command line written as one text; words have no spaces in them.
    pub(crate) fn run(&self, line: &str) -> Run {
        let output = self.command(line.split_whitespace()).output().unwrap();
        self.ran(line, output)
    }

    /// What a command line that was run elsewhere printed.
    pub(crate) fn ran(&self, line: &str, output: Output) -> Run {
        Run { line: line.to_owned(), output, folder: self.folder.path().to_owned() }
    }
}

/// What a run printed and how it ended.
pub(crate) struct Run {
    line: String,
    output: Output,
    folder: PathBuf,
}

impl Run {
    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// stdout, with the folder's path left out.
    pub(crate) fn stdout(&self) -> String {
        self.readable(&self.output.stdout)
    }

    /// stderr, with the folder's path left out.
    pub(crate) fn stderr(&self) -> String {
        self.readable(&self.output.stderr)
    }

    fn readable(&self, bytes: &[u8]) -> String {
        let folder = self.folder.canonicalize().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.replace(folder.to_str().unwrap(), "DIR").replace(self.folder.to_str().unwrap(), "DIR")
    }

    /// stderr without progress: what is said from the error on.
    pub(crate) fn error(&self) -> String {
        let text = self.stderr();
        text.find("error: ").map_or(text.clone(), |start| text[start..].to_owned())
    }

    /// The error, with the estimate of the memory that would be needed left out.
    pub(crate) fn error_without_estimate(&self) -> String {
        let error = self.error();
        let parts = error.split_once(" needs ").and_then(|(before, rest)| {
            let (_, after) = rest.split_once(" of memory")?;
            Some(format!("{before} needs SOME of memory{after}"))
        });
        parts.unwrap_or(error)
    }

    /// The run, which must have succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code(), Some(0), "secateur {}\n{}", self.line, self.stderr());
        self
    }

    /// The run, which must have refused its input.
    pub(crate) fn refused(self) -> Self {
        assert_eq!(self.code(), Some(2), "secateur {}\n{}", self.line, self.stderr());
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout).unwrap()
    }
}

/// Sentences, no two alike.
pub(crate) fn text(words: usize) -> String {
    let vocabulary = ["the", "old", "gardener", "cut", "a", "rose", "in", "rain", "and", "sang"];
    let mut text = String::new();
    for index in 0..words {
        let word = vocabulary[(index * index / 3 + 7 * index) % vocabulary.len()];
        let end = if index % 9 == 8 { ".\n" } else { " " };
        write!(text, "{word}{end}").unwrap();
    }
    text
}

/// Every file of a folder and its bytes.
pub(crate) fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}
