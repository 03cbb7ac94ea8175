//! Servers that fail, refuse, lie or attack.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use lm::{Silent, hub::HubOptions};

use crate::{
    Log, Setup, resolve_with,
    server::{Answer, COMMIT, MODEL, Repository, Request},
};

const WEIGHTS: &str = "model.safetensors";

/// A hub whose answers to the requests `fault` picks are changed by it; it is given how many it
/// picked before.
fn faulty(
    repository: &Repository,
    picks: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fault: impl Fn(usize, Answer) -> Answer + Send + Sync + 'static,
) -> Setup {
    let (repository, count) = (repository.clone(), AtomicUsize::new(0));
    Setup::with(move |request| {
        let answer = repository.answer(request);
        if picks(request) { fault(count.fetch_add(1, Ordering::SeqCst), answer) } else { answer }
    })
}

fn weights(request: &Request) -> bool {
    request.is("GET", WEIGHTS)
}

#[test]
fn a_dropped_connection_is_resumed() {
    let repository = Repository::small(3_000_000);
    let setup = faulty(&repository, weights, |count, answer| match count {
        0 => Answer { cut: Some(1_200_000), ..answer },
        1 => Answer { cut: Some(500_000), ..answer },
        _ => answer,
    });
    let log = Log::default();
    let snapshot = resolve_with(&setup.options(), MODEL, &log).unwrap();
    assert_eq!(fs::read(snapshot.join(WEIGHTS)).unwrap(), repository.bytes(WEIGHTS));
    let ranges: Vec<_> = setup
        .server
        .requests()
        .iter()
        .filter(|request| weights(request))
        .map(|request| request.header("range").unwrap_or("all").to_owned())
        .collect();
    assert_eq!(ranges, ["all", "bytes=1200000-", "bytes=1700000-"]);
    let total = log.works.lock().unwrap()[0].1;
    assert_eq!(log.advanced.load(Ordering::SeqCst), total);
}

#[test]
fn a_server_without_ranges_is_asked_for_all_of_it() {
    let repository = Repository::small(200_000);
    let all = repository.bytes(WEIGHTS).to_vec();
    let setup = faulty(&repository, weights, move |count, _| {
        let answer = Answer::new(200, all.clone());
        if count == 0 { Answer { cut: Some(150_000), ..answer } } else { answer }
    });
    let snapshot = setup.resolve().unwrap();
    assert_eq!(fs::read(snapshot.join(WEIGHTS)).unwrap(), repository.bytes(WEIGHTS));
}

#[test]
fn a_server_that_always_drops_is_given_up_and_the_part_is_kept() {
    let repository = Repository::small(3_000_000);
    let all = repository.bytes(WEIGHTS).to_vec();
    let setup = faulty(&repository, weights, move |_, _| Answer {
        cut: Some(2_000_000),
        ..Answer::new(200, all.clone())
    });
    let error = setup.error();
    assert!(error.contains(WEIGHTS) && error.contains("what was downloaded is kept"), "{error}");
    let part = format!("{}.incomplete", repository.etag(WEIGHTS));
    assert!(setup.blobs().contains(&part));
    assert!(setup.server.count("GET", WEIGHTS) <= 5);
}

#[test]
fn corrupt_bytes_are_refused_and_deleted() {
    for name in [WEIGHTS, "config.json"] {
        let repository = Repository::small(1000);
        let picks = move |request: &Request| request.is("GET", &format!("{COMMIT}/{name}"));
        let setup = faulty(&repository, picks, |_, mut answer| {
            answer.body[3] ^= 1;
            answer
        });
        let error = setup.error();
        assert!(error.contains(name) && error.contains("its hash is"), "{error}");
        assert!(error.contains(&repository.etag(name)), "{error}");
        let etag = repository.etag(name);
        assert!(setup.blobs().iter().all(|blob| !blob.starts_with(&etag)), "{:?}", setup.blobs());
    }
}

#[test]
fn a_damaged_part_of_an_earlier_run_is_downloaded_again() {
    let repository = Repository::small(10_000);
    let setup = Setup::new(repository.clone());
    let blobs = setup.folder().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", repository.etag(WEIGHTS)));
    for left in [vec![0; 4000], vec![0; 10_000], vec![0; 20_000]] {
        fs::write(&part, left).unwrap();
        let snapshot = setup.resolve().unwrap();
        assert_eq!(fs::read(snapshot.join(WEIGHTS)).unwrap(), repository.bytes(WEIGHTS));
        assert!(!part.exists());
        fs::remove_dir_all(&snapshot).unwrap();
        fs::remove_file(blobs.join(repository.etag(WEIGHTS))).unwrap();
    }
}

#[test]
fn a_wrong_size_is_refused() {
    let repository = Repository::small(1000);
    let longer = faulty(&repository, weights, |_, mut answer| {
        answer.body.push(0);
        answer
    });
    assert!(longer.error().contains("1001 bytes, 1000 were promised"), "{}", longer.error());
    let head = |request: &Request| request.is("HEAD", WEIGHTS);
    let setup = faulty(&repository, head, |_, answer| answer.with("X-Linked-Size", 999));
    assert!(setup.error().contains("999 bytes, the list of files says"), "{}", setup.error());
    let setup = faulty(
        &repository,
        |request| request.is("HEAD", "config.json"),
        |_, answer| answer.with("X-Linked-Size", 1u64 << 40),
    );
    assert!(!setup.resolve().unwrap_err().is_bad_input());
    assert_eq!(setup.server.count("GET", "/resolve/"), 0);
}

#[test]
fn bytes_without_end_are_cut_off() {
    let repository = Repository::small(1000);
    let setup = faulty(&repository, weights, |_, mut answer| {
        answer.body = format!("1388\r\n{}\r\n0\r\n\r\n", "x".repeat(5000)).into_bytes();
        answer.with("transfer-encoding", "chunked")
    });
    let error = setup.error();
    assert!(error.contains("more than the 1000 bytes promised"), "{error}");
}

#[test]
fn passing_errors_are_tried_again() {
    for status in [429, 500, 503, 504] {
        let repository = Repository::small(1000);
        let setup = faulty(
            &repository,
            |_| true,
            move |count, answer| {
                if count % 2 == 0 { Answer::new(status, "").with("Retry-After", 0) } else { answer }
            },
        );
        let log = Log::default();
        resolve_with(&setup.options(), MODEL, &log).unwrap();
        assert!(log.notes().contains(&format!("answers {status}")), "{}", log.notes());
        assert!(log.notes().contains("trying again"), "{}", log.notes());
    }
}

#[test]
fn lasting_errors_are_given_up() {
    let setup = Setup::with(|_| Answer::new(500, "oops"));
    let error = setup.error();
    assert!(error.contains("the server answers 500"), "{error}");
    assert_eq!(setup.server.requests().len(), 3, "one try and two more");
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let setup = Setup::with(|_| Answer { delay: Duration::from_secs(4), ..Answer::new(200, "{}") });
    let timeout = Duration::from_millis(50);
    let options = HubOptions { timeout, retries: 1, ..setup.options() };
    let start = Instant::now();
    let error = resolve_with(&options, MODEL, &Silent).unwrap_err().to_string();
    assert!(error.contains("timeout"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn refusals_say_what_to_do() {
    let error = |status: u16, code: &'static str, token: Option<&str>| {
        let setup = Setup::with(move |_| Answer::new(status, "{}").with("X-Error-Code", code));
        let options = HubOptions { token: token.map(str::to_owned), ..setup.options() };
        let error = resolve_with(&options, MODEL, &Silent).unwrap_err();
        assert!(error.is_bad_input());
        assert_eq!(setup.server.requests().len(), 1, "not tried again");
        error.to_string()
    };
    for status in [401, 403] {
        let gated = error(status, "GatedRepo", None);
        assert!(gated.contains("accept the licence at http://127.0.0.1:"), "{gated}");
        assert!(gated.contains("owner/name") && gated.contains("HF_TOKEN"), "{gated}");
        let anonymous = error(status, "", None);
        assert!(anonymous.contains("check the name") && anonymous.contains("HF_TOKEN"));
        let known = error(status, "", Some("hf_secret"));
        assert!(known.contains("HF_TOKEN is valid") && !known.contains("hf_secret"), "{known}");
    }
    assert!(error(404, "RepoNotFound", None).contains("no such model"));
    assert!(error(404, "RevisionNotFound", None).contains("no revision main"));
}

#[test]
fn an_unknown_revision_is_named() {
    let setup = Setup::new(Repository::small(1));
    let id = format!("{MODEL}@v9");
    let error = resolve_with(&setup.options(), &id, &Silent).unwrap_err().to_string();
    assert!(error.contains("no revision v9"), "{error}");
}

#[test]
fn a_gated_file_is_told_from_a_missing_one() {
    let setup = faulty(&Repository::small(1), weights_head, |_, _| {
        Answer::new(401, "{}").with("X-Error-Code", "GatedRepo")
    });
    assert!(setup.error().contains("accept the licence"), "{}", setup.error());
    assert_eq!(setup.server.count("GET", "/resolve/"), 0);
}

fn weights_head(request: &Request) -> bool {
    request.is("HEAD", WEIGHTS)
}

#[test]
fn hostile_names_are_refused_before_anything_is_written() {
    for name in ["../evil.json", "/tmp/evil.json", "tokenizer\\..\\evil.json", "a/../../evil"] {
        let mut repository = Repository::small(10);
        repository.files.push((name.to_owned(), b"evil".to_vec()));
        let setup = Setup::new(repository);
        let error = setup.error();
        assert!(error.contains("is refused") && error.contains("HF_ENDPOINT"), "{name}: {error}");
        assert!(!setup.folder().exists(), "{name}");
    }
}

#[test]
fn hostile_shard_names_are_refused() {
    for shard in ["../../evil.safetensors", "/evil.safetensors", "evil.sh", "absent.safetensors"] {
        let mut repository = Repository::small(10);
        let index = format!(r#"{{"weight_map":{{"x":"{shard}"}}}}"#);
        repository.files.push(("model.safetensors.index.json".to_owned(), index.into_bytes()));
        let setup = Setup::new(repository);
        let error = setup.error();
        assert!(error.contains(shard), "{shard}: {error}");
    }
}

#[test]
fn hostile_headers_are_refused() {
    let refused = |name: &'static str, value: &'static str, expected: &str| {
        let setup =
            faulty(&Repository::small(10), weights_head, move |_, answer| answer.with(name, value));
        let error = setup.error();
        assert!(error.contains(expected), "{name}: {value}: {error}");
        assert!(!setup.cache.path().join("evil").exists());
    };
    refused("X-Linked-Etag", "\"../../../evil\"", "is refused");
    refused("X-Linked-Etag", "\"a.lock\"", "is refused");
    let elsewhere = |_: usize, _: Answer| Answer::new(302, "").with("Location", "file:///etc/x");
    let setup = faulty(&Repository::small(10), weights, elsewhere);
    assert!(setup.error().contains("no address"), "{}", setup.error());
    let around = |_: usize, _: Answer| Answer::new(302, "").with("Location", "/again");
    let setup = Setup::with(move |_| around(0, Answer::default()));
    assert!(setup.error().contains("redirects"), "{}", setup.error());
}

#[test]
fn another_commit_than_asked_for_is_refused() {
    let setup = faulty(&Repository::small(10), weights_head, |_, mut answer| {
        answer.headers.retain(|(name, _)| name != "X-Repo-Commit");
        answer.with("X-Repo-Commit", "f".repeat(40))
    });
    assert!(setup.error().contains("gives another"), "{}", setup.error());
}

#[test]
fn an_answer_that_is_no_listing_falls_back_to_the_copy() {
    let repository = Repository::small(10);
    let listing = |request: &Request| request.path.starts_with("/api/");
    let setup = faulty(&repository, listing, |count, answer| {
        if count == 0 { answer } else { Answer::new(200, "<html>please log in</html>") }
    });
    let snapshot = setup.resolve().unwrap();
    let log = Log::default();
    assert_eq!(resolve_with(&setup.options(), MODEL, &log).unwrap(), snapshot);
    assert!(log.notes().contains("cannot be read"), "{}", log.notes());
}

#[test]
fn a_refusal_does_not_hide_behind_the_copy_but_names_it() {
    let listing = |request: &Request| request.path.starts_with("/api/");
    let setup = faulty(&Repository::small(10), listing, |count, answer| {
        if count == 0 { answer } else { Answer::new(401, "{}") }
    });
    setup.resolve().unwrap();
    assert!(setup.error().contains("--offline"), "{}", setup.error());
}

#[test]
fn an_etag_that_is_no_hash_is_noted() {
    let setup = faulty(&Repository::small(10), weights_head, |_, answer| {
        answer.with("X-Linked-Etag", "W/\"1f-abc\"")
    });
    let log = Log::default();
    resolve_with(&setup.options(), MODEL, &log).unwrap();
    assert!(log.notes().contains("only the size is checked"), "{}", log.notes());
    assert!(setup.blobs().contains(&"1f-abc".to_owned()));
}
