//! Data sets of a hub: some of their files.

use std::path::{Path, PathBuf};

use super::{Cache, Client, DatasetId, Fetch, HubOptions, cache::Cached};
use crate::{Error, Observer, Result};

/// Chooses among the names of all files of a data set; the problem where it finds none to choose.
pub type Choice<'a> = &'a dyn Fn(&[&str]) -> std::result::Result<Vec<String>, String>;

/// Those files of a data set that `choose` chooses, downloaded into the hub's own cache where it does
/// not hold them yet, in the order of the choice. Nothing else is downloaded.
///
/// Without network, files that the cache holds are chosen from, and that is noted.
///
/// # Errors
/// As [`super::resolve`], and [`Error::Hub`] where nothing is chosen.
pub fn files(
    id: &DatasetId,
    options: &HubOptions,
    choose: Choice<'_>,
    observer: &dyn Observer,
) -> Result<Vec<PathBuf>> {
    let id = &id.0;
    let cache = Cache::new(&options.cache, id);
    let cached = match cache.look_up(id.revision()) {
        Cached::Whole(snapshot) | Cached::Partial { snapshot, .. } => chosen(&snapshot, choose),
        Cached::Absent => Err("the cache holds nothing of it".into()),
    };
    let refuse = |problem: String, hint: &str| {
        Err(Error::Hub { model: id.to_string(), problem, hint: hint.to_owned() })
    };
    if options.offline {
        let hint = "run it once with network (without --offline and HF_HUB_OFFLINE)";
        return cached.or_else(|problem| refuse(format!("offline, and {problem}"), hint));
    }
    let client = Client::new(options, id, observer);
    let retries = if cached.is_ok() { 0 } else { options.retries };
    let listing = match (client.listing(retries), cached) {
        (Ok(listing), _) => listing,
        (Err(error @ Error::Network { .. }), Ok(files)) => {
            observer.note(&format!("{error}"));
            observer.note(&format!("using {} files of {id} in the cache", files.len()));
            return Ok(files);
        }
        (Err(error), _) => return Err(error),
    };
    let names = match choose(&listing.names()) {
        Ok(names) => names,
        Err(problem) => return refuse(problem, "name another config or split"),
    };
    let (shards, commit) = (listing.shards(&names), listing.commit.clone());
    let fetch = Fetch { client, cache, listing };
    fetch.fetch(&shards)?;
    fetch.note_revision();
    let snapshot = fetch.cache.snapshot(&commit);
    Ok(shards.iter().map(|shard| snapshot.join(&shard.name)).collect())
}

/// The files of a snapshot that are chosen among those it holds.
fn chosen(snapshot: &Path, choose: Choice<'_>) -> std::result::Result<Vec<PathBuf>, String> {
    let mut names = Vec::new();
    collect(snapshot, "", &mut names);
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let chosen = choose(&borrowed)?;
    Ok(chosen.iter().map(|name| snapshot.join(name)).collect())
}

/// The names of the files below `folder`, `/` between the parts.
fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (name, path) = (format!("{prefix}{name}"), entry.path());
        match path.is_dir() {
            true => collect(&path, &format!("{name}/"), names),
            false => names.push(name),
        }
    }
}
