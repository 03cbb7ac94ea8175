//! A tiny model and files in a temporary folder.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use calib::{CalibrationSet, Error, Recipe, Workspace};
use compute::Precision;
use lm::{Checkpoint, Model, Silent};
use tempfile::TempDir;
use testkit::{TinyOptions, tiny_llama};

pub struct Bench {
    pub folder: TempDir,
    pub model: Model,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(&TinyOptions::default())
    }

    pub fn with(options: &TinyOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("model");
        tiny_llama(&path, options);
        let model = Model::new(Checkpoint::open(&path).unwrap(), Precision::F32).unwrap();
        Self { folder, model }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn workspace(&self) -> Workspace<'_> {
        Workspace { model: &self.model, cache: None, memory: None, hub: None, server: None }
    }

    pub fn collect(&self, recipe: &Recipe) -> Result<CalibrationSet, Error> {
        calib::collect(recipe, &self.workspace(), &Silent)
    }

    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.model.checkpoint().tokenizer.encode(text, false).unwrap()
    }

    /// What is wrong with the recipe; an error of the input.
    pub fn refusal(&self, recipe: &Recipe) -> String {
        let error = self.collect(recipe).unwrap_err();
        assert!(error.is_bad_input(), "{error}");
        error.to_string()
    }
}

/// A recipe for some windows.
pub fn recipe(source: &str, samples: usize, length: usize) -> Recipe {
    Recipe { samples: Some(samples), length: Some(length), ..Recipe::of(source) }
}

/// `count` sentences that differ.
pub fn sentences(count: usize) -> String {
    let line = |index| format!("The {index}th garden has {} trees and a pond. ", index * 7 % 13);
    (0..count).map(line).collect()
}

/// JSONL documents of `lengths` sentences each.
pub fn jsonl(lengths: &[usize]) -> String {
    let line = |(index, &length): (usize, &usize)| {
        let text = format!("Document {index}. {}", sentences(length));
        format!("{{\"id\": {index}, \"text\": \"{text}\"}}\n")
    };
    lengths.iter().enumerate().map(line).collect()
}
