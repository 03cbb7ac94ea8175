//! Data sets of a hub.

use lm::hub::{DatasetId, files};

use super::*;

const SHARDS: [(&str, &str); 4] = [
    ("en/train.00001.json.gz", "second"),
    ("en/train.00000.json.gz", "first"),
    ("en/test.json.gz", "test"),
    ("README.md", "a data set"),
];

/// A hub with one data set; what a model's address asks for is not there.
fn setup() -> Setup {
    let files = SHARDS.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).to_vec();
    let repository = Repository { files, storage: None };
    Setup::with(move |request| {
        let path = request.path.replacen("/api/datasets/", "/api/models/", 1);
        let path = path.replacen("/datasets/", "/", 1);
        if path == request.path {
            return Answer::new(404, "{}").with("X-Error-Code", "RepoNotFound");
        }
        repository.answer(&Request { path, ..request.clone() })
    })
}

fn read(options: &HubOptions, start: &str) -> Result<Vec<String>> {
    let id: DatasetId = MODEL.parse().unwrap();
    let choose = |names: &[&str]| -> std::result::Result<Vec<String>, String> {
        let chosen = names.iter().filter(|name| name.starts_with(start));
        let mut chosen: Vec<String> = chosen.map(|name| (*name).to_owned()).collect();
        chosen.sort();
        if chosen.is_empty() { Err(format!("nothing begins with {start}")) } else { Ok(chosen) }
    };
    let files = files(&id, options, &choose, &Silent)?;
    Ok(files.into_iter().map(|file| fs::read_to_string(file).unwrap()).collect())
}

#[test]
fn only_the_chosen_files_are_downloaded_and_once() {
    let setup = setup();
    assert_eq!(read(&setup.options(), "en/train").unwrap(), ["first", "second"]);
    assert_eq!(setup.server.count("GET", "test.json.gz") + setup.server.count("GET", "README"), 0);
    assert_eq!(read(&setup.options(), "en/train").unwrap(), ["first", "second"]);
    assert_eq!(setup.server.count("GET", "train.00000"), 1);
    assert!(setup.cache.path().join("datasets--owner--name/snapshots").is_dir());
    assert_eq!(read(&setup.options(), "en/test").unwrap(), ["test"]);
}

#[test]
fn what_is_not_there_is_refused_with_the_reason() {
    let setup = setup();
    let error = read(&setup.options(), "fr/").unwrap_err();
    assert!(
        error.is_bad_input() && error.to_string().contains("nothing begins with fr/"),
        "{error}"
    );
    let offline = HubOptions { offline: true, ..setup.options() };
    assert!(read(&offline, "en/").unwrap_err().to_string().contains("holds nothing of it"));
}

#[test]
fn the_cache_serves_offline_and_when_the_network_is_gone() {
    let setup = setup();
    read(&setup.options(), "en/train.00000").unwrap();
    let offline = HubOptions { offline: true, ..setup.options() };
    assert_eq!(read(&offline, "en/train").unwrap(), ["first"]);
    assert!(read(&offline, "en/test").unwrap_err().to_string().contains("nothing begins with"));
    let gone = HubOptions { endpoint: nowhere(), retries: 0, ..setup.options() };
    assert_eq!(read(&gone, "en/train").unwrap(), ["first"]);
}
