//! What the sequences of a calibration set say.

use std::{collections::HashMap, fs, path::Path};

use calib::CalibrationSet;
use serde::{Deserialize, Serialize};

use crate::failure::BadInput;

/// Words of the runs that are counted.
const RUN: usize = 3;

/// Runs that are shown.
const RUNS: usize = 8;

/// Sequences that are shown.
const SAMPLES: usize = 3;

/// Characters of each.
const EXCERPT: usize = 240;

/// What the sequences say, from the readable view beside the set.
#[derive(Serialize)]
pub(super) struct Texts {
    /// The most frequent runs of words with how often they occur.
    top_runs: Vec<(String, usize)>,
    /// How some of the sequences begin.
    samples: Vec<String>,
}

/// A line of the view.
#[derive(Deserialize)]
struct Line {
    tokens: usize,
    text: String,
}

impl Texts {
    /// Reads the view beside the set in `path`; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is the view of another set.
    pub(super) fn beside(path: &Path, set: &CalibrationSet) -> anyhow::Result<Option<Self>> {
        let view = path.with_extension("jsonl");
        let Ok(text) = fs::read_to_string(&view) else { return Ok(None) };
        let lines: Result<Vec<Line>, _> = text.lines().map(serde_json::from_str).collect();
        let fits = |lines: &Vec<Line>| {
            let lengths = lines.iter().map(|line| line.tokens);
            lengths.eq(set.sequences.iter().map(Vec::len))
        };
        let Some(lines) = lines.ok().filter(fits) else {
            let problem = format!("{}: not the view of this set", view.display());
            return Err(BadInput::new(problem).hint("move it away, or make the set again").into());
        };
        let texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        Ok(Some(Self { top_runs: top_runs(&texts), samples: samples(&texts) }))
    }

    pub(super) fn render(&self) -> String {
        let mut text = format!("\nmost frequent runs of {RUN} words:\n");
        for (run, count) in &self.top_runs {
            text.push_str(&format!("  {count:>6}  {run}\n"));
        }
        text.push_str("\nsome of the texts:\n");
        for sample in &self.samples {
            text.push_str(&format!("  {sample}\n"));
        }
        text
    }
}

/// The most frequent runs of words, the first of the alphabet where they are level.
fn top_runs(texts: &[String]) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in texts {
        let letters = |c: char| !c.is_alphanumeric() && c != '\'' && c != '’';
        let words: Vec<&str> = text.split(letters).filter(|word| !word.is_empty()).collect();
        for run in words.windows(RUN) {
            *counts.entry(run.join(" ").to_lowercase()).or_insert(0) += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    counts.truncate(RUNS);
    counts
}

/// How some texts begin, spread evenly over all, in one line each.
fn samples(texts: &[String]) -> Vec<String> {
    let shown = SAMPLES.min(texts.len());
    let sample = |place: usize| {
        let text = &texts[place * texts.len() / shown];
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(EXCERPT).collect()
    };
    (0..shown).map(sample).collect()
}
