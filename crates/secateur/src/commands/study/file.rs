//! The file that describes a study.

use std::path::Path;

use anyhow::Context;
use study::{Axis, Cell, Grid};
use toml::{Table, Value};

use crate::failure::BadInput;
use crate::recipe::scalar;

/// The option whose values are replicates unless the file names another.
const REPLICATE: &str = "seed";

/// Options that say how to work and not what comes out; a study decides them itself.
const DECIDED: [&str; 9] =
    ["output", "resume", "force", "dry-run", "json", "quiet", "threads", "help", "print-recipe"];

/// What a study file asks for.
pub(super) struct Study {
    /// What all cells share, by the keys of `prune`.
    shared: Table,
    /// The values on each axis as the file has them, in the order of the grid's.
    values: Vec<(String, Vec<Value>)>,
    pub(super) grid: Grid,
    /// The axis whose values are replicates.
    pub(super) replicate: String,
    /// The values of the line that others are compared with.
    pub(super) baseline: Vec<(String, String)>,
}

impl Study {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or is not a study; the error names the key.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| BadInput::new(format!("{}: {error}", path.display())))?;
        let study = Self::parse(&text);
        study.with_context(|| BadInput::new(format!("{}: not a usable study", path.display())))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut file: Table = text.parse().map_err(|error: toml::de::Error| {
            BadInput::new(error.to_string().trim_end()).hint("a study is a TOML file")
        })?;
        let mut table = |name: &str| match file.remove(name) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(_) => Err(BadInput::new(format!("{name} is not a table"))),
        };
        let (shared, grid, study) = (table("prune")?, table("grid")?, table("study")?);
        if let Some(name) = file.keys().next() {
            let problem = format!("{name:?} found, [prune], [grid] and [study] expected");
            return Err(BadInput::new(problem).into());
        }
        let shared = shared.unwrap_or_default();
        let grid = grid.ok_or_else(|| {
            BadInput::new("[grid] is missing: the options that vary, with the values they take")
        })?;
        for key in DECIDED {
            if shared.contains_key(key) || grid.contains_key(key) {
                let problem = format!("{key} is for the study to decide");
                return Err(BadInput::new(problem).hint("leave it out").into());
            }
        }
        if let Some(key) = grid.keys().find(|key| shared.contains_key(*key)) {
            return Err(BadInput::new(format!("{key} is in [prune] and in [grid]")).into());
        }
        let values = grid.into_iter().map(axis).collect::<Result<Vec<_>, BadInput>>()?;
        let axes = values.iter().map(|(name, values)| {
            let values = values.iter().map(label).collect::<Result<Vec<_>, BadInput>>()?;
            Ok(Axis { name: name.clone(), values })
        });
        let grid = Grid::new(axes.collect::<Result<Vec<_>, BadInput>>()?)?;
        let (replicate, baseline) = compared(study.unwrap_or_default(), &grid)?;
        Ok(Self { shared, values, grid, replicate, baseline })
    }

    /// The recipe of a cell, without the keys `left_out`.
    pub(super) fn recipe(&self, cell: &Cell, output: &Path, left_out: &[String]) -> Table {
        let mut recipe = self.shared.clone();
        for ((name, values), (_, chosen)) in self.values.iter().zip(cell.values()) {
            let value = values.iter().find(|value| label(value).is_ok_and(|label| label == chosen));
            recipe.insert(name.clone(), value.expect("a cell is of this grid").clone());
        }
        recipe.retain(|key, _| !left_out.iter().any(|left| left == key));
        recipe.insert("output".into(), Value::String(output.display().to_string()));
        recipe.insert("force".into(), Value::Boolean(true));
        Table::from_iter([("prune".to_owned(), Value::Table(recipe))])
    }
}

fn axis((name, value): (String, Value)) -> Result<(String, Vec<Value>), BadInput> {
    match value {
        Value::Array(values) => Ok((name, values)),
        other => Err(BadInput::new(format!("{name}: a list expected, {other} found"))
            .hint("what does not vary belongs into [prune]")),
    }
}

/// A value as the table shows it.
fn label(value: &Value) -> Result<String, BadInput> {
    match value {
        Value::Boolean(value) => Ok(value.to_string()),
        Value::Array(values) => {
            Ok(values.iter().map(label).collect::<Result<Vec<_>, _>>()?.join(" + "))
        }
        value => scalar(value).map_err(BadInput::new),
    }
}

/// The replicate and the baseline of `[study]`.
fn compared(mut study: Table, grid: &Grid) -> Result<(String, Vec<(String, String)>), BadInput> {
    let replicate = match study.remove("replicate") {
        None => REPLICATE.to_owned(),
        Some(Value::String(name)) if grid.names().any(|axis| axis == name) => name,
        Some(other) => {
            let problem = format!("[study] replicate: a key of [grid] expected, {other} found");
            return Err(BadInput::new(problem));
        }
    };
    let baseline = match study.remove("baseline") {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(other) => {
            let problem = format!("[study] baseline: a table expected, {other} found");
            return Err(BadInput::new(problem).hint("for example { method = \"wanda\" }"));
        }
    };
    if let Some(key) = study.keys().next() {
        let problem = format!("[study] has no key {key:?}: replicate and baseline are known");
        return Err(BadInput::new(problem));
    }
    let cells = grid.cells();
    let value = |(name, value): (String, Value)| {
        let value = label(&value)?;
        if cells.iter().any(|cell| cell.value(&name) == Some(&value)) {
            return Ok((name, value));
        }
        Err(BadInput::new(format!("[study] baseline: [grid] has no {name} of {value}")))
    };
    Ok((replicate, baseline.into_iter().map(value).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: &str = "[prune]\nmodel = \"m\"\n[grid]\nsparsity = [0.5, \"2:4\"]\nseed = [0, 1]\n\
                        refit = [true, false]\nskip = [[], [\"0\", \"1\"]]\n";

    #[test]
    fn a_cell_is_a_recipe() {
        let study = Study::parse(GRID).unwrap();
        let cells = study.grid.cells();
        assert_eq!(cells.len(), 16);
        assert_eq!(cells[1].to_string(), "sparsity 0.5, seed 0, refit true, skip 0 + 1");
        let recipe = study.recipe(&cells[1], Path::new("out"), &["seed".into()]).to_string();
        let expected = "[prune]\nmodel = \"m\"\nsparsity = 0.5\nrefit = true\n\
                        skip = [\"0\", \"1\"]\noutput = \"out\"\nforce = true\n";
        assert_eq!(recipe, expected);
        assert_eq!((study.replicate.as_str(), study.baseline.len()), ("seed", 0));
    }

    #[test]
    fn files_that_are_no_study_are_refused_by_key() {
        for (text, expected) in [
            ("", "[grid] is missing"),
            ("[grid", "TOML"),
            ("grid = 1", "grid is not a table"),
            ("[grid]\n[prnue]\n", "\"prnue\" found"),
            ("[grid]\nseed = 1", "seed: a list expected, 1 found"),
            ("[grid]\nseed = []", "seed has no value"),
            ("[grid]\nseed = [1, 1]", "seed has the value 1 twice"),
            ("[grid]\nseed = [1979-05-27]", "a number or a text expected"),
            ("[grid]\noutput = [\"a\"]", "output is for the study to decide"),
            ("[prune]\nseed = 1\n[grid]\nseed = [1]", "seed is in [prune] and in [grid]"),
            ("[grid]\nseed = [1]\n[study]\nreplicate = \"sed\"", "replicate: a key of [grid]"),
            ("[grid]\nseed = [1]\n[study]\nbaseline = 3", "baseline: a table expected"),
            ("[grid]\nseed = [1]\n[study]\nbaseline = { seed = 3 }", "[grid] has no seed of 3"),
            ("[grid]\nseed = [1]\n[study]\nbase = 3", "no key \"base\""),
        ] {
            let error = Study::parse(text).err().unwrap_or_else(|| panic!("{text}"));
            let found = crate::failure::render(&error);
            assert!(found.contains(expected), "{expected:?} expected in:\n{found}");
        }
    }
}
