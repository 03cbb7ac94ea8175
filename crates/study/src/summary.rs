//! What the cells of a study say together.

use serde::Serialize;

use crate::{Cell, Measures, Outcome, Task};

/// Values over replicates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (n − 1); nothing for a single value.
    pub deviation: Option<f64>,
}

/// Cells that differ in their replicate alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The cell without its replicate.
    pub setting: Cell,
    /// Every measure over the replicates, in the order of their names.
    pub measures: Vec<(String, Spread)>,
    /// The differences from the baseline, replicate by replicate; none where the line has no baseline
    /// or is one itself.
    pub differences: Vec<(String, Spread)>,
    /// Why replicates have no result.
    pub failures: Vec<String>,
}

/// Every line of a study.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The lines in the order of the grid.
    pub lines: Vec<Line>,
}

/// What became of a cell: the outcome, or why there is none.
type Finding = Result<Outcome, String>;

impl Spread {
    /// The spread of `values`; nothing where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (count > 1).then(|| (squares / (count as f64 - 1.0)).sqrt());
        (count > 0).then_some(Self { count, mean, deviation })
    }
}

impl Summary {
    /// Puts the cells of a grid into lines: `findings` are what became of `tasks`, in order. Cells that
    /// differ in `replicate` alone are one line; a line is compared with the one that has the values of
    /// `baseline` and is otherwise the same, over the replicates that both have. Cells that share one
    /// run count once.
    pub fn new(
        tasks: &[Task],
        findings: &[Finding],
        replicate: &str,
        baseline: &[(String, String)],
    ) -> Self {
        let mut settings: Vec<Cell> = Vec::new();
        for task in tasks {
            let setting = task.cell.without(replicate);
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
        let study = Study { tasks, findings, replicate };
        let line = |setting: Cell| {
            let base = setting.with(baseline);
            let compared = !baseline.is_empty() && base != setting;
            Line {
                measures: study.spreads(&setting),
                differences: if compared { study.paired(&setting, &base) } else { Vec::new() },
                failures: study.failures(&setting),
                setting,
            }
        };
        Self { lines: settings.into_iter().map(line).collect() }
    }
}

struct Study<'a> {
    tasks: &'a [Task],
    findings: &'a [Finding],
    replicate: &'a str,
}

impl<'a> Study<'a> {
    /// The cells of a setting and what became of them.
    fn of(&self, setting: &Cell) -> impl Iterator<Item = (&'a Task, &'a Finding)> {
        let cells = self.tasks.iter().zip(self.findings);
        cells.filter(move |(task, _)| task.cell.without(self.replicate) == *setting)
    }

    /// The cells of a setting that have measures.
    fn measured(&self, setting: &Cell) -> Vec<(&'a Task, &'a Measures)> {
        let found = self.of(setting).filter_map(|(task, finding)| {
            finding.as_ref().ok().map(|outcome| (task, &outcome.measures))
        });
        found.collect()
    }

    fn spreads(&self, setting: &Cell) -> Vec<(String, Spread)> {
        let mut runs: Vec<(&Task, &Measures)> = Vec::new();
        for (task, measures) in self.measured(setting) {
            if runs.iter().all(|(known, _)| known.identity != task.identity) {
                runs.push((task, measures));
            }
        }
        spreads(names(runs.iter().map(|(_, measures)| *measures)), |name| {
            runs.iter().filter_map(|(_, measures)| measures.get(name).copied()).collect()
        })
    }

    fn paired(&self, setting: &Cell, base: &Cell) -> Vec<(String, Spread)> {
        let theirs = self.measured(base);
        let mut pairs: Vec<[(&Task, &Measures); 2]> = Vec::new();
        for ours in self.measured(setting) {
            let replicate = ours.0.cell.value(self.replicate);
            let same =
                |their: &&(&Task, &Measures)| their.0.cell.value(self.replicate) == replicate;
            let Some(&theirs) = theirs.iter().find(same) else { continue };
            let known = |pair: &[(&Task, &Measures); 2]| {
                pair[0].0.identity == ours.0.identity && pair[1].0.identity == theirs.0.identity
            };
            if !pairs.iter().any(known) {
                pairs.push([ours, theirs]);
            }
        }
        spreads(names(pairs.iter().map(|[(_, measures), _]| *measures)), |name| {
            let difference = |[(_, ours), (_, theirs)]: &[(&Task, &Measures); 2]| {
                Some(ours.get(name)? - theirs.get(name)?)
            };
            pairs.iter().filter_map(difference).collect()
        })
    }

    fn failures(&self, setting: &Cell) -> Vec<String> {
        let mut failures: Vec<String> = Vec::new();
        for problem in self.of(setting).filter_map(|(_, finding)| finding.as_ref().err()) {
            if !failures.contains(problem) {
                failures.push(problem.clone());
            }
        }
        failures
    }
}

fn names<'a>(measures: impl Iterator<Item = &'a Measures>) -> Vec<String> {
    let mut names: Vec<String> = measures.flat_map(|one| one.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn spreads(names: Vec<String>, values: impl Fn(&str) -> Vec<f64>) -> Vec<(String, Spread)> {
    let spread = |name: String| Spread::of(&values(&name)).map(|spread| (name, spread));
    names.into_iter().filter_map(spread).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Axis, Grid};

    #[test]
    fn a_spread_is_that_of_a_sample() {
        let spread = Spread::of(&[1.0, 2.0, 4.0, 5.0]).unwrap();
        assert_eq!((spread.count, spread.mean), (4, 3.0));
        assert!((spread.deviation.unwrap() - (10.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[7.0]), Some(Spread { count: 1, mean: 7.0, deviation: None }));
        assert_eq!(Spread::of(&[]), None);
    }

    /// Two methods, two seeds; `plain` has no seed, one cell of `best` failed.
    #[test]
    fn lines_have_paired_differences_and_count_each_run_once() {
        let axis = |name: &str, values: &[&str]| Axis {
            name: name.into(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let grid = Grid::new(vec![
            axis("method", &["wanda", "best", "plain"]),
            axis("seed", &["0", "1", "2"]),
        ]);
        let runs = [0, 1, 2, 3, 4, 5, 6, 6, 6];
        let tasks = grid.unwrap().cells().into_iter().zip(runs);
        let tasks: Vec<Task> =
            tasks.map(|(cell, run)| Task { cell, identity: json!(run) }).collect();
        let values = [10.0, 12.0, 14.0, 9.0, 10.0, f64::NAN, 20.0, 20.0, 20.0];
        let finding = |value: f64| match value.is_nan() {
            true => Err("no room".to_owned()),
            false => {
                let measures = Measures::from([("loss".into(), value)]);
                Ok(Outcome { identity: json!(null), measures, record: json!(null) })
            }
        };
        let findings = values.map(finding);
        let baseline = [("method".to_owned(), "wanda".to_owned())];
        let Summary { lines } = Summary::new(&tasks, &findings, "seed", &baseline);
        assert_eq!(lines.len(), 3);
        let spread = |found: &[(String, Spread)]| (found[0].1.count, found[0].1.mean);
        assert_eq!(spread(&lines[0].measures), (3, 12.0));
        assert!(lines[0].differences.is_empty() && lines[0].failures.is_empty());
        assert_eq!(spread(&lines[1].measures), (2, 9.5));
        assert_eq!(spread(&lines[1].differences), (2, -1.5));
        assert_eq!(lines[1].failures, ["no room"]);
        // one run of `plain`, compared with each seed of the baseline
        assert_eq!(lines[2].measures[0].1, Spread { count: 1, mean: 20.0, deviation: None });
        assert_eq!(spread(&lines[2].differences), (3, 8.0));
        let alone = Summary::new(&tasks, &findings, "seed", &[]);
        assert!(alone.lines.iter().all(|line| line.differences.is_empty()));
    }
}
