//! Figures of tasks as tables.

use eval::tasks::{Asking, Metric, Queries, Sampler};
use eval::{Comparison, Estimate};

use super::TaskFacts;
use crate::options::Format;
use crate::terminal::{format, table::Table};

impl TaskFacts {
    /// The figures as a table, the protocol beside and under them.
    pub(crate) fn render(&self, layout: Format) -> String {
        let mut table = Table::new(&self.heading());
        for (index, queries) in self.suite.tasks.iter().enumerate() {
            self.task_rows(&mut table, index, queries);
        }
        for group in &self.suite.groups {
            let means = (0..self.models.len()).map(|model| self.mean(model, group));
            let first = [group.name.to_owned(), "mean acc".to_owned()];
            let of = format!("mean of {} tasks", self.members(group).len());
            let figures = (means.collect(), self.mean_comparison(group));
            table.row(row(first, Metric::Accuracy, figures, of));
        }
        let flips = if self.suite.list_flips { self.render_flips(layout) } else { String::new() };
        format!("{}{}\n{flips}", table.render_as(layout), self.protocol())
    }

    fn heading(&self) -> Vec<&str> {
        let mut heading = vec!["task", "metric"];
        match &self.models[..] {
            [_] => heading.push("figure"),
            models => {
                heading.extend(models.iter().map(String::as_str));
                heading.extend(["difference", "95 % interval"]);
            }
        }
        heading.push("measured on");
        heading
    }

    fn task_rows(&self, table: &mut Table, index: usize, queries: &Queries) {
        let task = &queries.chosen.task;
        for (place, &metric) in task.metrics().iter().enumerate() {
            let figure = |model: usize| self.figures[model][index].figures[place].estimate;
            let figures = (0..self.models.len()).map(figure).collect();
            let name = if place == 0 { queries.chosen.name.clone() } else { String::new() };
            let first = [name, metric.name().to_owned()];
            let figures = (figures, self.comparison(index, metric));
            table.row(row(first, metric, figures, self.measured_on(index, queries)));
        }
        for (place, area) in self.figures[0][index].areas.iter().enumerate() {
            let figure = |model: usize| self.figures[model][index].areas[place].estimate;
            let figures = (0..self.models.len()).map(figure).collect();
            let first = [format!("  {}", area.name), task.metrics()[0].name().to_owned()];
            let of = format!("{} questions", format::count(area.questions as u64));
            table.row(row(first, task.metrics()[0], (figures, None), of));
        }
    }

    fn measured_on(&self, index: usize, queries: &Queries) -> String {
        let (asked, available) = (queries.queries.len() as u64, queries.available as u64);
        let mut text = match asked == available {
            true => format!("{} questions", format::count(asked)),
            false => format!("{} of {} questions", format::count(asked), format::count(available)),
        };
        let Asking { shots, seed, .. } = self.suite.asking;
        let chosen = match (shots, queries.chosen.task.sampler()) {
            (0, _) => String::new(),
            (_, Sampler::First) => " (the first)".to_owned(),
            (_, Sampler::Drawn | Sampler::DrawnApart) => format!(" (drawn, seed {seed})"),
        };
        let version = queries.chosen.task.version();
        text.push_str(&format!(", {shots} shots{chosen}, version {version}"));
        let truncated = self.figures.iter().map(|tasks| tasks[index].truncated).max();
        if let Some(truncated @ 1..) = truncated {
            text.push_str(&format!(", {truncated} contexts cut on the left"));
        }
        text
    }

    /// How everything was measured.
    fn protocol(&self) -> String {
        let bos = if self.bos { "with" } else { "without" };
        format!(
            "± one standard error; scored as lm-evaluation-harness 0.4 does: context and choice \
             tokenised as one text {bos} BOS, acc by the sum of log-likelihoods, acc_norm by the \
             sum over characters; {}",
            self.dtype
        )
    }

    fn render_flips(&self, layout: Format) -> String {
        let mut table = Table::new(&["flipped question", "right", "first", "second", ""]);
        for index in 0..self.suite.tasks.len() {
            for flip in self.flips(index) {
                let choice =
                    |picked: Option<usize>| picked.map_or("another".into(), |at| at.to_string());
                let [first, second] = flip.picked.map(choice);
                let change = if flip.gained { "gained" } else { "lost" };
                table.row([flip.place, flip.gold.to_string(), first, second, change.to_owned()]);
            }
        }
        format!("\n{}", table.render_as(layout))
    }
}

/// A row: what, the figures of the models, their difference where there are two, measured on what.
fn row(
    first: [String; 2],
    metric: Metric,
    (figures, comparison): (Vec<Estimate>, Option<Comparison>),
    measured_on: String,
) -> Vec<String> {
    let mut row = Vec::from(first);
    row.extend(figures.iter().map(|figure| estimate(metric, figure)));
    if figures.len() > 1 {
        let [difference, interval] = comparison.map_or_else(Default::default, |found| {
            [difference(metric, found.difference.value), interval(metric, found.interval)]
        });
        row.extend([difference, interval]);
    }
    row.push(measured_on);
    row
}

fn estimate(metric: Metric, figure: &Estimate) -> String {
    match metric {
        Metric::Perplexity => {
            format!("{} ± {:.2}", format::perplexity(figure.value), figure.stderr)
        }
        _ if figure.stderr.is_nan() => format!("{:.2} %", 100.0 * figure.value),
        _ => format!("{:.2} ± {:.2} %", 100.0 * figure.value, 100.0 * figure.stderr),
    }
}

fn difference(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Perplexity => format!("{value:+.3} nats"),
        _ => format!("{:+.2}", 100.0 * value),
    }
}

fn interval(metric: Metric, [low, high]: [f64; 2]) -> String {
    match metric {
        Metric::Perplexity => format!("{low:+.3} to {high:+.3}"),
        _ => format!("{:+.2} to {:+.2}", 100.0 * low, 100.0 * high),
    }
}
