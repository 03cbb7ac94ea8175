//! The options that vary, and every combination of their values.

use serde::Serialize;

use crate::{Error, Result};

/// Cells at most: more is a mistake in the grid, not a study.
const MOST_CELLS: usize = 100_000;

/// One option that varies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The option.
    pub name: String,
    /// Its values, as they are written.
    pub values: Vec<String>,
}

/// Every combination of the values of some axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// One value on every axis, in the order of the axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Cell(Vec<(String, String)>);

impl Grid {
    /// A grid of `axes`; without any it has one cell.
    ///
    /// # Errors
    /// [`Error::Grid`] when an axis has no value or one twice, two axes have one name, or there are too
    /// many cells.
    pub fn new(axes: Vec<Axis>) -> Result<Self> {
        let twice = |values: &[String]| {
            (1..values.len()).find(|&place| values[..place].contains(&values[place]))
        };
        let names: Vec<String> = axes.iter().map(|axis| axis.name.clone()).collect();
        if let Some(place) = twice(&names) {
            return Err(Error::Grid(format!("{} is given twice", names[place])));
        }
        for Axis { name, values } in &axes {
            if values.is_empty() {
                return Err(Error::Grid(format!("{name} has no value, at least one is expected")));
            }
            if let Some(place) = twice(values) {
                return Err(Error::Grid(format!("{name} has the value {} twice", values[place])));
            }
        }
        let cells =
            axes.iter().try_fold(1usize, |cells, axis| cells.checked_mul(axis.values.len()));
        match cells {
            Some(cells) if cells <= MOST_CELLS => Ok(Self { axes }),
            _ => Err(Error::Grid(format!("more than {MOST_CELLS} cells"))),
        }
    }

    /// Every cell, the last axis running fastest.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::default()];
        for Axis { name, values } in &self.axes {
            let with = |cell: &Cell, value: &String| {
                let mut cell = cell.clone();
                cell.0.push((name.clone(), value.clone()));
                cell
            };
            cells = cells
                .iter()
                .flat_map(|cell| values.iter().map(move |value| with(cell, value)))
                .collect();
        }
        cells
    }

    /// The names of the axes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }
}

impl Cell {
    /// The axes and the values on them.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value on the axis `name`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values().find(|(axis, _)| *axis == name).map(|(_, value)| value)
    }

    /// The cell without the axis `name`.
    pub fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(axis, _)| axis != name).cloned().collect())
    }

    /// The cell with other values on the axes that `change` names; it must have them.
    pub fn with(&self, change: &[(String, String)]) -> Self {
        let value = |(name, value): &(String, String)| {
            let other = change.iter().find(|(axis, _)| axis == name);
            (name.clone(), other.map_or_else(|| value.clone(), |(_, other)| other.clone()))
        };
        Self(self.0.iter().map(value).collect())
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<String> =
            self.values().map(|(name, value)| format!("{name} {value}")).collect();
        f.write_str(&values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, values: &[&str]) -> Axis {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Axis { name: name.into(), values }
    }

    #[test]
    fn cells_are_all_combinations_in_order() {
        let grid = Grid::new(vec![axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])]).unwrap();
        let cells: Vec<String> = grid.cells().iter().map(Cell::to_string).collect();
        assert_eq!(cells, ["a 1, b x", "a 1, b y", "a 1, b z", "a 2, b x", "a 2, b y", "a 2, b z"]);
        let cell = &grid.cells()[4];
        assert_eq!((cell.value("a"), cell.value("c")), (Some("2"), None));
        assert_eq!(cell.without("a").to_string(), "b y");
        assert_eq!(cell.with(&[("b".into(), "x".into())]).to_string(), "a 2, b x");
        assert_eq!(Grid::new(vec![]).unwrap().cells(), [Cell::default()]);
    }

    #[test]
    fn grids_that_are_none_are_refused_by_axis() {
        let refusal = |axes| Grid::new(axes).unwrap_err().to_string();
        assert!(refusal(vec![axis("a", &[])]).contains("a has no value"));
        assert!(refusal(vec![axis("a", &["1", "2", "1"])]).contains("a has the value 1 twice"));
        assert!(refusal(vec![axis("a", &["1"]), axis("a", &["2"])]).contains("a is given twice"));
        let many: Vec<String> = (0..400).map(|value| value.to_string()).collect();
        let axis = |name: &str| Axis { name: name.into(), values: many.clone() };
        assert!(refusal(vec![axis("a"), axis("b")]).contains("more than 100000 cells"));
    }
}
