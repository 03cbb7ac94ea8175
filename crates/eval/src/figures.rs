//! From answers to figures, with standard errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scorer::Answer;
use crate::tasks::{Metric, Queries, Query};

/// A figure with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its standard error; not a number (`null` in JSON) where there is one question alone.
    pub stderr: f64,
}

/// One figure of a task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub metric: Metric,
    /// The figure.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// The first figure of a part of a task, or of an area of parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartFigure {
    /// The part's or the area's name.
    pub name: String,
    /// Questions.
    pub questions: usize,
    /// The figure.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// What was found of one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskFigures {
    /// The figures, in the order of the task's metrics.
    pub figures: Vec<Figure>,
    /// Areas, where the task has any.
    pub areas: Vec<PartFigure>,
    /// Parts, where the task has any.
    pub parts: Vec<PartFigure>,
    /// Choices whose context was cut on the left to fit the model.
    pub truncated: usize,
    /// Every question's answer.
    #[serde(skip)]
    pub answers: Vec<Answer>,
}

impl TaskFigures {
    /// The figures of the answers to `queries`.
    ///
    /// # Panics
    /// When there is not one answer per query.
    pub fn new(queries: &Queries, answers: Vec<Answer>) -> Self {
        assert_eq!(queries.queries.len(), answers.len(), "one answer per query");
        let task = &queries.chosen.task;
        let figure =
            |&metric: &Metric| Figure { metric, estimate: estimate(metric, queries, &answers) };
        let values = by_part(task.metrics()[0], &queries.queries, &answers);
        let part = |(name, values): (&String, &Vec<f64>)| PartFigure {
            name: name.clone(),
            questions: values.len(),
            estimate: Estimate::of(values),
        };
        let areas = task.areas().iter().filter_map(|(name, parts)| {
            let values: Vec<_> = parts.iter().filter_map(|part| values.get(*part)).collect();
            let questions = values.iter().map(|values| values.len()).sum();
            let estimate = Estimate::pooled(&values);
            (questions > 0).then(|| PartFigure { name: (*name).to_owned(), questions, estimate })
        });
        Self {
            figures: task.metrics().iter().map(figure).collect(),
            areas: areas.collect(),
            parts: values.iter().map(part).collect(),
            truncated: answers.iter().map(|answer| answer.truncated).sum(),
            answers,
        }
    }
}

/// What an answer counts under a metric: 1 or 0, or the log-likelihood.
pub(crate) fn value(metric: Metric, query: &Query, answer: &Answer) -> f64 {
    match metric {
        Metric::Perplexity => answer.choices[query.gold].log_likelihood,
        _ => f64::from(u8::from(picked(metric, query, answer) == Some(query.gold))),
    }
}

/// The choice that the model takes; of a single one, nothing where it would write another.
pub(crate) fn picked(metric: Metric, query: &Query, answer: &Answer) -> Option<usize> {
    let score = |index: usize| {
        let log_likelihood = answer.choices[index].log_likelihood;
        match metric {
            Metric::AccuracyNorm => log_likelihood / query.lengths[index] as f64,
            _ => log_likelihood,
        }
    };
    match answer.choices[..] {
        [only] => only.greedy.then_some(0),
        // the first of equals
        _ => (0..answer.choices.len())
            .reduce(|best, new| if score(new) > score(best) { new } else { best }),
    }
}

fn estimate(metric: Metric, queries: &Queries, answers: &[Answer]) -> Estimate {
    let pairs = queries.queries.iter().zip(answers);
    let values: Vec<f64> = pairs.map(|(query, answer)| value(metric, query, answer)).collect();
    let parts = by_part(metric, &queries.queries, answers);
    match metric {
        Metric::Perplexity => Estimate::of(&values).exponential_of_minus(),
        _ if parts.is_empty() => Estimate::of(&values),
        _ => Estimate::pooled(&parts.values().collect::<Vec<_>>()),
    }
}

/// The values of every part; nothing where the task has none.
fn by_part(metric: Metric, queries: &[Query], answers: &[Answer]) -> BTreeMap<String, Vec<f64>> {
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (query, answer) in queries.iter().zip(answers) {
        if let Some(part) = &query.part {
            parts.entry(part.clone()).or_default().push(value(metric, query, answer));
        }
    }
    parts
}

impl Estimate {
    /// The mean, and the sample's deviation over the root of its size.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let value = values.iter().sum::<f64>() / count;
        Self { value, stderr: (variance(values) / count).sqrt() }
    }

    /// The mean over all samples together; its error from the variance within them, pooled as the
    /// harness does (`pooled_sample_stderr`).
    pub fn pooled(samples: &[&Vec<f64>]) -> Self {
        let count = samples.iter().map(|values| values.len()).sum::<usize>() as f64;
        let sum: f64 = samples.iter().flat_map(|values| values.iter()).sum();
        let squares = |values: &&Vec<f64>| match values.len() {
            1 => 0.0,
            count => variance(values) * (count - 1) as f64,
        };
        let pooled = samples.iter().map(squares).sum::<f64>() / (count - samples.len() as f64);
        Self { value: sum / count, stderr: (pooled / count).sqrt() }
    }

    /// The plain mean of independent figures.
    pub fn mean(figures: &[Self]) -> Self {
        let count = figures.len() as f64;
        let squares: f64 = figures.iter().map(|figure| figure.stderr.powi(2)).sum();
        let value = figures.iter().map(|figure| figure.value).sum::<f64>() / count;
        Self { value, stderr: squares.sqrt() / count }
    }

    /// `exp(−value)`, its error to first order.
    fn exponential_of_minus(self) -> Self {
        let value = (-self.value).exp();
        Self { value, stderr: value * self.stderr }
    }
}

/// The sample's variance, not a number for one value.
fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::Likelihood;

    fn answer(log_likelihoods: &[f64]) -> Answer {
        let choice = |&log_likelihood: &f64| Likelihood { log_likelihood, greedy: false };
        Answer { choices: log_likelihoods.iter().map(choice).collect(), truncated: 0 }
    }

    fn query(lengths: &[usize], gold: usize) -> Query {
        Query {
            contexts: vec![String::new(); lengths.len()],
            continuations: vec![String::new(); lengths.len()],
            lengths: lengths.to_vec(),
            gold,
            examples: Vec::new(),
            part: None,
            place: crate::records::record(serde_json::json!({})).place().clone(),
        }
    }

    #[test]
    fn the_most_probable_choice_is_taken_the_first_of_equals() {
        let query = query(&[10, 2, 2], 0);
        let pick = |metric, values: &[f64]| picked(metric, &query, &answer(values)).unwrap();
        assert_eq!(pick(Metric::Accuracy, &[-5.0, -2.0, -2.0]), 1);
        assert_eq!(pick(Metric::AccuracyNorm, &[-5.0, -2.0, -2.0]), 0);
        assert_eq!(pick(Metric::AccuracyNorm, &[-50.0, -9.0, -8.0]), 2);
        assert_eq!(value(Metric::Accuracy, &query, &answer(&[-1.0, -2.0, -2.0])), 1.0);
        assert_eq!(value(Metric::Accuracy, &query, &answer(&[-3.0, -2.0, -2.0])), 0.0);
    }

    #[test]
    fn a_single_continuation_counts_where_the_model_would_write_it() {
        let query = query(&[3], 0);
        let mut found = answer(&[-7.0]);
        assert_eq!(value(Metric::Accuracy, &query, &found), 0.0);
        found.choices[0].greedy = true;
        assert_eq!(value(Metric::Accuracy, &query, &found), 1.0);
        assert_eq!(value(Metric::Perplexity, &query, &found), -7.0);
    }

    #[test]
    fn errors_are_the_textbook_ones() {
        let found = Estimate::of(&[1.0, 0.0, 1.0, 1.0]);
        assert!((found.value - 0.75).abs() < 1e-12 && (found.stderr - 0.25).abs() < 1e-12);
        assert!(Estimate::of(&[1.0]).stderr.is_nan());
        // samples of one mean each: pooling finds what the whole finds, but for the degrees of freedom
        let (a, b) = (vec![1.0, 0.0, 1.0, 1.0], vec![1.0, 1.0, 0.0, 1.0]);
        let pooled = Estimate::pooled(&[&a, &b]);
        assert!((pooled.value - 0.75).abs() < 1e-12);
        assert!((pooled.stderr - (1.5f64 / 6.0 / 8.0).sqrt()).abs() < 1e-12);
        let mean = Estimate::mean(&[
            Estimate { value: 1.0, stderr: 3.0 },
            Estimate { value: 3.0, stderr: 4.0 },
        ]);
        assert_eq!((mean.value, mean.stderr), (2.0, 2.5));
        let perplexity = Estimate { value: -2.0, stderr: 0.1 }.exponential_of_minus();
        assert!((perplexity.value - 2f64.exp()).abs() < 1e-12);
        assert!((perplexity.stderr - 0.1 * 2f64.exp()).abs() < 1e-12);
    }
}
