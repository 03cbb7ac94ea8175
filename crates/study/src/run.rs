//! The cells of a study, one after the other.

use std::collections::BTreeMap;

use lm::Observer;
use serde_json::Value;

use crate::{Cell, Measures, Outcome, Result, Store};

/// A cell and what its result depends on. Cells that depend on the same are one run: a seed that a
/// method does not use makes no new result.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The cell.
    pub cell: Cell,
    /// Everything its result depends on.
    pub identity: Value,
}

/// Runs the cells that have no result yet, in order, and gives the results of all, in order: what was
/// measured, or why the cell has none. `work` does one cell; what it measured is kept as soon as it is
/// done. `say` is told the number of a cell that is about to run, and of how many.
///
/// # Errors
/// When a result cannot be read or kept, or the observer cancels. An error of `work` that `fatal`
/// knows ends the study as well; any other belongs to its cell.
pub fn run<E: std::fmt::Display>(
    tasks: &[Task],
    store: &Store,
    observer: &dyn Observer,
    fatal: impl Fn(&E) -> bool,
    mut work: impl FnMut(&Task, (usize, usize)) -> std::result::Result<(Measures, Value), E>,
) -> Result<std::result::Result<Vec<std::result::Result<Outcome, String>>, E>> {
    let mut missing: Vec<&Task> = Vec::new();
    let mut found: BTreeMap<String, std::result::Result<Outcome, String>> = BTreeMap::new();
    for task in tasks {
        match store.find(&task.identity)? {
            Some(outcome) => drop(found.insert(task.identity.to_string(), Ok(outcome))),
            None if missing.iter().all(|other| other.identity != task.identity) => {
                missing.push(task);
            }
            None => {}
        }
    }
    for (index, task) in missing.iter().enumerate() {
        observer.check()?;
        let result = match work(task, (index + 1, missing.len())) {
            Ok((measures, record)) => {
                let outcome = Outcome { identity: task.identity.clone(), measures, record };
                store.keep(&outcome)?;
                Ok(outcome)
            }
            Err(error) if fatal(&error) => return Ok(Err(error)),
            Err(error) => Err(format!("{error:#}")),
        };
        found.insert(task.identity.to_string(), result);
    }
    let result = |task: &Task| found[&task.identity.to_string()].clone();
    Ok(Ok(tasks.iter().map(result).collect()))
}

#[cfg(test)]
mod tests {
    use lm::Silent;
    use serde_json::json;

    use super::*;
    use crate::{Axis, Grid};

    fn tasks(seeds: &[&str]) -> Vec<Task> {
        let axis = |name: &str, values: &[&str]| Axis {
            name: name.into(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let grid = Grid::new(vec![axis("method", &["a", "b"]), axis("seed", seeds)]).unwrap();
        let task = |cell: Cell| {
            // `b` has no seed
            let seed = cell.value("seed").filter(|_| cell.value("method") == Some("a"));
            let identity = json!({"method": cell.value("method"), "seed": seed});
            Task { cell, identity }
        };
        grid.cells().into_iter().map(task).collect()
    }

    fn measure(task: &Task) -> Measures {
        Measures::from([("x".into(), task.identity.to_string().len() as f64)])
    }

    #[test]
    fn an_interrupted_study_runs_what_is_missing_and_one_that_grew_runs_what_is_new() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::new(folder.path().into());
        let mut ran = Vec::new();
        let mut study = |tasks: &[Task], patience: usize| {
            let mut left = patience;
            let result = run(
                tasks,
                &store,
                &Silent,
                |_: &String| true,
                |task, place| {
                    if left == 0 {
                        return Err("interrupted".to_owned());
                    }
                    left -= 1;
                    ran.push((task.cell.to_string(), place));
                    Ok((measure(task), json!(null)))
                },
            );
            (result.unwrap(), ran.len())
        };
        assert_eq!(study(&tasks(&["0", "1"]), 2), (Err("interrupted".into()), 2));
        let (results, count) = study(&tasks(&["0", "1"]), 9);
        assert_eq!((results.unwrap().len(), count), (4, 3), "b runs once for both seeds");
        let (results, count) = study(&tasks(&["0", "1", "2"]), 9);
        assert_eq!(count, 4);
        let results: Vec<Outcome> = results.unwrap().into_iter().map(|r| r.unwrap()).collect();
        assert_eq!(results[3], results[5]);
        assert_eq!(ran[0], ("method a, seed 0".into(), (1, 3)));
        assert_eq!(ran[3], ("method a, seed 2".into(), (1, 1)));
    }

    #[test]
    fn a_cell_that_fails_is_told_and_stops_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::new(folder.path().into());
        let found = run(
            &tasks(&["0"]),
            &store,
            &Silent,
            |_: &String| false,
            |task, _| match task.cell.value("method") {
                Some("a") => Err("does not fit".to_owned()),
                _ => Ok((measure(task), json!(null))),
            },
        );
        let found = found.unwrap().unwrap();
        assert_eq!(found[0], Err("does not fit".into()));
        assert!(found[1].is_ok());
        assert_eq!(store.find(&tasks(&["0"])[0].identity).unwrap(), None, "it runs again");
    }
}
