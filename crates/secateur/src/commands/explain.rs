//! `secateur explain`: one entry of a list.

use super::topics::{Entry, TOPICS, Topic};
use crate::failure::BadInput;
use crate::options::ExplainOptions;
use crate::{output, recipe};

/// Prints what an entry is; entries of several lists may share a name.
pub(crate) fn run(options: &ExplainOptions) -> anyhow::Result<()> {
    let name = options.name.as_str();
    let texts: Vec<_> = all().filter(|(_, entry)| is_called(entry, name)).map(explained).collect();
    if texts.is_empty() {
        let entries: Vec<_> = all().collect();
        let near = recipe::nearest(name, entries.iter().flat_map(|(_, entry)| names(entry)));
        let hint = match near.as_slice() {
            [] => "`secateur list` shows every entry".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        return Err(BadInput::new(format!("there is no entry {name:?}")).hint(hint).into());
    }
    output::text(&texts.join("\n"))
}

fn all() -> impl Iterator<Item = (&'static Topic, Entry)> {
    TOPICS.iter().flat_map(|topic| (topic.entries)().into_iter().map(move |entry| (topic, entry)))
}

/// An entry of several names is listed with commas between them.
fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.name.split(", ")
}

fn is_called(entry: &Entry, name: &str) -> bool {
    entry.name == name || names(entry).any(|one| one == name)
}

fn explained((topic, entry): (&Topic, Entry)) -> String {
    let heading = format!("{} ({}): {}\n", entry.name, topic.name, entry.summary);
    match entry.explanation {
        Some(explanation) => format!("{heading}\n{}\n", explanation.trim_end()),
        None => heading,
    }
}
