//! Hub data sets, against a small server on the loopback.

// a test may panic; the server is that of lm's tests, and more than is needed here
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, dead_code, unreachable_pub)]

mod common;
#[path = "../../lm/tests/hub/server.rs"]
mod server;

use std::time::Duration;

use calib::{DatasetSettings, Origin, Recipe, Workspace};
use common::{Bench, jsonl, recipe};
use lm::{Silent, hub::HubOptions};
use server::{Answer, MODEL, Repository, Request, Server};

/// A hub on which every data set holds these files.
fn hub(files: &[(&str, String)]) -> Server {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes()));
    let repository = Repository { files: files.collect(), storage: None };
    Server::start(move |request| {
        let mut path = request.path.replacen("/api/datasets/", "/api/models/", 1);
        path = path.replacen("/datasets/", "/", 1);
        for name in ["allenai/c4", "openai/gsm8k", "someone/something"] {
            path = path.replacen(name, MODEL, 1);
        }
        match path == request.path {
            true => Answer::new(404, "{}").with("X-Error-Code", "RepoNotFound"),
            false => repository.answer(&Request { path, ..request.clone() }),
        }
    })
}

fn collect(
    bench: &Bench,
    server: &Server,
    recipe: &Recipe,
) -> Result<calib::CalibrationSet, calib::Error> {
    let options = HubOptions {
        endpoint: server.url(),
        token: None,
        cache: bench.path("hub"),
        offline: false,
        retries: 1,
        backoff: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
    };
    let workspace = Workspace { hub: Some(&options), ..bench.workspace() };
    calib::collect(recipe, &workspace, &Silent)
}

#[test]
fn a_preset_reads_the_first_shard_of_its_split() {
    let bench = Bench::new();
    let server = hub(&[
        ("en/c4-train.00000-of-01024.jsonl", jsonl(&[20, 30])),
        ("en/c4-train.00001-of-01024.jsonl", jsonl(&[25])),
        ("en/c4-validation.00000-of-00008.jsonl", "broken".into()),
        ("README.md", "words".into()),
    ]);
    let set = collect(&bench, &server, &recipe("c4", 6, 64)).unwrap();
    assert_eq!((set.provenance.documents, set.provenance.source.as_str()), (2, "hub"));
    let from = |origin: &Origin| match origin {
        Origin::Document { file, .. } => file.ends_with("c4-train.00000-of-01024.jsonl"),
        _ => false,
    };
    assert!(set.provenance.origins.iter().all(from));
    assert_eq!(server.count("GET", "00001-of-01024"), 0);
    let two = DatasetSettings { shards: 2, ..DatasetSettings::default() };
    let more = Recipe { dataset: two, ..recipe("c4", 6, 64) };
    assert_eq!(collect(&bench, &server, &more).unwrap().provenance.documents, 3);
    assert_eq!(server.count("GET", "00000-of-01024"), 1, "what is there is not fetched again");
}

#[test]
fn presets_know_their_fields_and_others_are_named() {
    let bench = Bench::new();
    let problems =
        (0..9).map(|n| format!("{{\"question\": \"{n}?\", \"answer\": \"It is {n}.\"}}\n"));
    let server = hub(&[
        ("main/train-00000-of-00001.jsonl", problems.collect()),
        ("other/test-00000-of-00001.jsonl", jsonl(&[9])),
    ]);
    let whole = Some(calib::Packing::Whole);
    let set = collect(&bench, &server, &Recipe { packing: whole, ..recipe("gsm8k", 9, 64) });
    let set = set.unwrap();
    let Origin::Document { document, .. } = set.provenance.origins[0] else { panic!() };
    let text = format!("{document}?\nIt is {document}.");
    assert_eq!(set.sequences[0], bench.encode(&text));
    let dataset = DatasetSettings {
        config: Some("other".into()),
        split: Some("test".into()),
        ..DatasetSettings::default()
    };
    let named = Recipe { dataset, ..recipe("hub:someone/something", 2, 64) };
    assert_eq!(collect(&bench, &server, &named).unwrap().provenance.documents, 1);
    let train = Recipe { dataset: DatasetSettings::default(), packing: whole, ..named };
    let set = collect(&bench, &server, &train).unwrap();
    assert_eq!(set.provenance.documents, 9, "the split train, whatever the configuration");
}

#[test]
fn what_is_not_there_is_said() {
    let bench = Bench::new();
    let server = hub(&[("en/c4-validation.00000-of-00008.jsonl", jsonl(&[9]))]);
    let error = collect(&bench, &server, &recipe("c4", 2, 64)).unwrap_err();
    assert!(error.is_bad_input());
    assert!(error.to_string().contains("config en, split train"), "{error}");
    let unknown = collect(&bench, &server, &recipe("hub:no/where", 2, 64)).unwrap_err();
    assert!(unknown.is_bad_input(), "{unknown}");
    assert!(bench.refusal(&recipe("c4", 2, 64)).contains("no hub is at hand"));
    assert!(bench.refusal(&recipe("hub:../etc", 2, 64)).contains("../etc"));
}
