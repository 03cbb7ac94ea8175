//! What was found of candidates.

use calib::CalibrationSet;
use serde::Serialize;

/// What was found of one candidate, draw by draw.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// The draws, in the order of the seeds.
    pub(super) draws: Vec<Draw>,
    /// What was measured of them.
    pub(super) series: Vec<Series>,
}

/// One draw of a candidate.
#[derive(Clone, Serialize)]
pub(super) struct Draw {
    pub(super) seed: u64,
    pub(super) sequences: usize,
    pub(super) tokens: usize,
    pub(super) digest: String,
}

/// The values of one measure over the draws.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Series {
    /// The score.
    pub(super) score: String,
    /// The yardstick it was measured on; nothing for the set alone, and for the mean over all
    /// yardsticks.
    pub(super) yardstick: Option<String>,
    /// A value for every draw.
    pub(super) values: Vec<f64>,
}

impl Draw {
    pub(super) fn of(set: &CalibrationSet, seed: u64) -> Self {
        Self { seed, sequences: set.sequences.len(), tokens: set.tokens(), digest: set.digest() }
    }
}

impl Found {
    /// Adds the value of a score that is of the set alone.
    pub(super) fn push(&mut self, score: &str, value: f64) {
        self.add(score, None, value);
    }

    /// Adds the values of a score on every yardstick, and their mean.
    pub(super) fn push_each(&mut self, score: &str, yardsticks: &[String], values: &[f64]) {
        self.add(score, None, values.iter().sum::<f64>() / values.len() as f64);
        for (yardstick, value) in yardsticks.iter().zip(values) {
            self.add(score, Some(yardstick), *value);
        }
    }

    fn add(&mut self, score: &str, yardstick: Option<&String>, value: f64) {
        let same = |one: &&mut Series| one.score == score && one.yardstick.as_ref() == yardstick;
        match self.series.iter_mut().find(same) {
            Some(series) => series.values.push(value),
            None => self.series.push(Series {
                score: score.to_owned(),
                yardstick: yardstick.cloned(),
                values: vec![value],
            }),
        }
    }

    /// The values of a score of the set, or its means over the yardsticks.
    pub(super) fn values(&self, score: &str, yardstick: Option<&str>) -> &[f64] {
        let same = |one: &&Series| one.score == score && one.yardstick.as_deref() == yardstick;
        self.series.iter().find(same).map_or(&[], |series| &series.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_gather_by_score_and_yardstick() {
        let (mut found, names) = (Found::default(), ["a".to_owned(), "b".to_owned()]);
        for draw in [1.0, 2.0] {
            found.push("min-k", draw);
            found.push_each("damage", &names, &[draw, 3.0 * draw]);
        }
        assert_eq!(found.values("min-k", None), [1.0, 2.0]);
        assert_eq!(found.values("damage", None), [2.0, 4.0]);
        assert_eq!(found.values("damage", Some("b")), [3.0, 6.0]);
        assert!(found.values("damage", Some("c")).is_empty());
    }
}
