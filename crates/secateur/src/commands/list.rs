//! `secateur list`: what can be chosen from.

use std::collections::BTreeMap;

use super::topics::{TOPICS, Topic};
use crate::options::ListOptions;
use crate::output;
use crate::terminal::table::definitions;

/// Prints one topic, or all of them.
pub(crate) fn run(options: &ListOptions) -> anyhow::Result<()> {
    let wanted = |topic: &&Topic| options.topic.as_deref().is_none_or(|name| name == topic.name);
    let topics = TOPICS.iter().filter(wanted);
    if options.json {
        let lists: BTreeMap<_, _> = topics.map(|topic| (topic.name, (topic.entries)())).collect();
        return output::json(&lists);
    }
    let texts: Vec<_> = topics.map(described).collect();
    output::text(&texts.join("\n"))
}

fn described(topic: &Topic) -> String {
    let entries = (topic.entries)();
    let pairs = entries.iter().map(|entry| (entry.name.as_str(), entry.summary.as_str()));
    format!("{}: {}\n{}", topic.name, topic.summary, definitions(pairs))
}
