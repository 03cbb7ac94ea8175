//! What a study found, as a table.

use study::{Line, Spread, Store, Summary, Task};

use crate::options::Format;
use crate::terminal::table::Table;

/// The cells and whether they have a result.
pub(super) fn plan(tasks: &[Task], store: &Store) -> anyhow::Result<String> {
    let mut table = Table::new(&["cell", "result"]);
    for task in tasks {
        let known = store.find(&task.identity)?.is_some();
        let file = store.path(&task.identity);
        let result = if known { file.display().to_string() } else { "to run".into() };
        table.row([task.cell.to_string(), result]);
    }
    Ok(format!("{}\nnothing was run\n", table.render()))
}

/// A line for each setting: mean ± sample standard deviation over the replicates, and the paired
/// difference from the baseline.
pub(super) fn render(summary: &Summary, replicate: &str, format: Format) -> String {
    let measures = names(summary.lines.iter().map(|line| &line.measures));
    let differences = names(summary.lines.iter().map(|line| &line.differences));
    let differences: Vec<String> =
        differences.into_iter().filter(|name| !name.ends_with("seconds")).collect();
    let settings: Vec<&str> = summary
        .lines
        .first()
        .into_iter()
        .flat_map(|line| line.setting.values())
        .map(|v| v.0)
        .collect();
    let mut heading: Vec<String> = settings.iter().map(|&name| name.to_owned()).collect();
    heading.push(format!("{replicate}s"));
    heading.extend(measures.iter().cloned());
    heading.extend(differences.iter().map(|name| format!("Δ {name}")));
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let mut table = Table::new(&heading);
    for line in &summary.lines {
        table.row(row(line, &measures, &differences));
    }
    let failures = summary.lines.iter().flat_map(|line| {
        line.failures.iter().map(move |problem| format!("{}: {problem}\n", line.setting))
    });
    let failures: String = failures.collect();
    let failures = if failures.is_empty() { failures } else { format!("\nno result:\n{failures}") };
    format!("{}{failures}", table.render_as(format))
}

fn row(line: &Line, measures: &[String], differences: &[String]) -> Vec<String> {
    let mut row: Vec<String> = line.setting.values().map(|(_, value)| value.to_owned()).collect();
    row.push(line.measures.first().map_or(0, |(_, spread)| spread.count).to_string());
    let cells = |found: &[(String, Spread)], names: &[String], signed: bool| {
        let cell = |name: &String| {
            let spread = found.iter().find(|(known, _)| known == name);
            spread.map_or("–".into(), |(_, spread)| figure(spread, signed))
        };
        names.iter().map(cell).collect::<Vec<_>>()
    };
    row.extend(cells(&line.measures, measures, false));
    row.extend(cells(&line.differences, differences, true));
    row
}

/// `12.345 ± 0.012`.
fn figure(spread: &Spread, signed: bool) -> String {
    let decimals = if spread.mean.abs() < 100.0 { 3 } else { 1 };
    let mean = match signed {
        true => format!("{:+.decimals$}", spread.mean),
        false => format!("{:.decimals$}", spread.mean),
    };
    let deviation = spread.deviation.map(|deviation| format!(" ± {deviation:.decimals$}"));
    format!("{mean}{}", deviation.unwrap_or_default())
}

/// Every name, in order of first mention.
fn names<'a>(lists: impl Iterator<Item = &'a Vec<(String, Spread)>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in lists.flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
