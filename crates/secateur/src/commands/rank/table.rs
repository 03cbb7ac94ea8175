//! The ranking as tables.

use study::{Spread, Standing};

use super::found::Found;
use super::order::{Ranking, figure, measured};
use super::prepared::Prepared;
use crate::options::{Format, LOSS};
use crate::terminal::table::Table;

/// The order with every score, the figures on every yardstick, and the reasons.
pub(super) fn render(ranking: &Ranking, prepared: &Prepared, format: Format) -> String {
    let mut parts = vec![scores(ranking, prepared, format)];
    if prepared.yardsticks.len() > 1 {
        for score in by_yardstick(ranking, prepared) {
            parts.push(on_yardsticks(ranking, prepared, score, format));
        }
    }
    parts.push(reasons(ranking, prepared));
    let notes: String = ranking.notes.iter().map(|note| format!("note: {note}\n")).collect();
    parts.push(notes);
    parts.join("\n")
}

/// `2=` where others share the rank.
fn rank(standing: &Standing) -> String {
    format!("{}{}", standing.rank, if standing.shared { "=" } else { "" })
}

fn scores(ranking: &Ranking, prepared: &Prepared, format: Format) -> String {
    let names = measured(&ranking.found[0]);
    let mut heading = vec!["candidate", "rank"];
    heading.extend(&names);
    let mut table = Table::new(&heading);
    for standing in &ranking.standings {
        let found = &ranking.found[standing.entry];
        let mut row = vec![prepared.candidates[standing.entry].name.clone(), rank(standing)];
        row.extend(names.iter().map(|name| spread(found, name, None)));
        table.row(row);
    }
    let pruned = prepared.pruning.as_ref().map(|done| done.describe());
    let pruned = pruned.map_or(String::new(), |done| format!("damage and loss: {done}\n"));
    format!("{}ordered by {}\n{pruned}", table.render_as(format), prepared.by)
}

/// The scores whose values on each yardstick are shown: the one that orders, and what pruning lost.
fn by_yardstick<'a>(ranking: &Ranking, prepared: &'a Prepared) -> Vec<&'a str> {
    let own = prepared.labels();
    let has = |score: &&str| !ranking.found[0].values(score, Some(&own[0])).is_empty();
    let mut scores = vec![prepared.by.as_str()];
    if prepared.pruning.is_some() && prepared.by != LOSS {
        scores.push(LOSS);
    }
    scores.into_iter().filter(has).collect()
}

fn on_yardsticks(ranking: &Ranking, prepared: &Prepared, score: &str, format: Format) -> String {
    let labels = prepared.labels();
    let title = format!("{score} on");
    let mut heading = vec![title.as_str()];
    heading.extend(labels.iter().map(String::as_str));
    let mut table = Table::new(&heading);
    for standing in &ranking.standings {
        let found = &ranking.found[standing.entry];
        let mut row = vec![prepared.candidates[standing.entry].name.clone()];
        row.extend(labels.iter().map(|label| spread(found, score, Some(label))));
        table.row(row);
    }
    table.render_as(format)
}

/// `0.0412 ± 0.0013`.
fn spread(found: &Found, score: &str, yardstick: Option<&str>) -> String {
    match Spread::of(found.values(score, yardstick)) {
        None => "–".into(),
        Some(Spread { mean, deviation: None, .. }) => figure(mean),
        Some(Spread { mean, deviation: Some(deviation), .. }) => {
            format!("{} ± {}", figure(mean), figure(deviation))
        }
    }
}

fn reasons(ranking: &Ranking, prepared: &Prepared) -> String {
    let mut text = String::from("why\n");
    for (standing, reasons) in ranking.standings.iter().zip(&ranking.reasons) {
        let name = &prepared.candidates[standing.entry].name;
        text.push_str(&format!("  {:<3} {name}: {}\n", rank(standing), reasons.join("; ")));
    }
    text
}
