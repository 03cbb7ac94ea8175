//! Models of a hub, against a small server on the loopback. No test needs a network.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)] // a test may panic

mod datasets;
mod faults;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lm::{
    Error, Observer, Result, Silent,
    hub::{HubOptions, resolve},
};
use server::{Answer, COMMIT, MODEL, Repository, Request, Server};
use tempfile::TempDir;

/// What was reported.
#[derive(Default)]
struct Log {
    notes: Mutex<Vec<String>>,
    works: Mutex<Vec<(String, u64)>>,
    open: AtomicU64,
    advanced: AtomicU64,
    /// Asks to stop once this many bytes were reported; never if 0.
    stop_after: u64,
}

impl Observer for Log {
    fn started(&self, work: &str, total: u64) {
        self.works.lock().unwrap().push((work.to_owned(), total));
        self.open.fetch_add(1, Ordering::SeqCst);
    }
    fn advanced(&self, units: u64) {
        self.advanced.fetch_add(units, Ordering::SeqCst);
    }
    fn finished(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
    fn note(&self, note: &str) {
        self.notes.lock().unwrap().push(note.to_owned());
    }
    fn cancelled(&self) -> bool {
        self.stop_after > 0 && self.advanced.load(Ordering::SeqCst) >= self.stop_after
    }
}

impl Log {
    fn notes(&self) -> String {
        self.notes.lock().unwrap().join("\n")
    }
}

/// A hub and an empty cache.
struct Setup {
    server: Server,
    cache: TempDir,
}

impl Setup {
    fn new(repository: Repository) -> Self {
        Self::with(move |request| repository.answer(request))
    }

    fn with(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self { server: Server::start(handler), cache: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> HubOptions {
        HubOptions {
            endpoint: self.server.url(),
            token: None,
            cache: self.cache.path().to_owned(),
            offline: false,
            retries: 2,
            backoff: Duration::from_millis(1),
            timeout: Duration::from_secs(5),
        }
    }

    fn resolve(&self) -> Result<PathBuf> {
        resolve_with(&self.options(), MODEL, &Silent)
    }

    fn error(&self) -> String {
        self.resolve().unwrap_err().to_string()
    }

    fn folder(&self) -> PathBuf {
        self.cache.path().join("models--owner--name")
    }

    fn blobs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder().join("blobs")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn resolve_with(options: &HubOptions, id: &str, observer: &dyn Observer) -> Result<PathBuf> {
    resolve(&id.parse().unwrap(), options, observer)
}

/// An address at which nothing listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_model_is_downloaded_into_the_hubs_layout() {
    let repository = Repository::small(3_000_000);
    let setup = Setup::new(repository.clone());
    let log = Log::default();
    let snapshot = resolve_with(&setup.options(), MODEL, &log).unwrap();
    assert_eq!(snapshot, setup.folder().join("snapshots").join(COMMIT));
    let mut names: Vec<_> = fs::read_dir(&snapshot)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
    let mut etags = Vec::new();
    for name in &names {
        assert_eq!(fs::read(snapshot.join(name)).unwrap(), repository.bytes(name), "{name}");
        etags.push(repository.etag(name));
        #[cfg(unix)]
        assert_eq!(
            fs::read_link(snapshot.join(name)).unwrap(),
            Path::new("../../blobs").join(repository.etag(name))
        );
    }
    etags.sort();
    assert_eq!(setup.blobs(), etags, "and nothing else, no remains");
    assert_eq!(fs::read_to_string(setup.folder().join("refs/main")).unwrap(), COMMIT);
    let total: usize = names.iter().map(|name| repository.bytes(name).len()).sum();
    assert_eq!(*log.works.lock().unwrap(), [("downloading owner/name".to_owned(), total as u64)]);
    assert_eq!(log.advanced.load(Ordering::SeqCst), total as u64);
    assert_eq!(log.open.load(Ordering::SeqCst), 0);
    let etag = repository.etag("model.safetensors");
    let lock = format!(".locks/models--owner--name/{etag}.lock");
    assert!(setup.cache.path().join(lock).exists());
}

#[test]
fn a_second_run_downloads_nothing() {
    let setup = Setup::new(Repository::small(1000));
    let first = setup.resolve().unwrap();
    let before = setup.server.requests().len();
    assert_eq!(setup.resolve().unwrap(), first);
    assert_eq!(setup.server.requests().len(), before + 1, "the list of files alone");
}

#[test]
fn without_network_the_copy_is_used_and_noted() {
    let setup = Setup::new(Repository::small(1000));
    let first = setup.resolve().unwrap();
    let options = HubOptions { endpoint: nowhere(), ..setup.options() };
    let log = Log::default();
    assert_eq!(resolve_with(&options, MODEL, &log).unwrap(), first);
    assert!(log.notes().contains("using the copy of owner/name"), "{}", log.notes());
}

#[test]
fn without_network_and_without_copy_the_error_says_what_to_do() {
    let setup = Setup::new(Repository::small(1));
    let options = HubOptions { endpoint: nowhere(), ..setup.options() };
    let error = resolve_with(&options, MODEL, &Silent).unwrap_err();
    assert!(!error.is_bad_input());
    let text = error.to_string();
    assert!(text.contains(&options.endpoint) && text.contains("HF_ENDPOINT"), "{text}");
    assert!(text.contains("pass its folder"), "{text}");
}

#[test]
fn offline_uses_the_cache_alone() {
    let setup = Setup::new(Repository::small(1000));
    let offline = HubOptions { offline: true, ..setup.options() };
    let error = resolve_with(&offline, MODEL, &Silent).unwrap_err();
    assert!(error.is_bad_input());
    assert!(error.to_string().contains("holds no copy of revision main"), "{error}");
    assert_eq!(setup.server.requests().len(), 0);

    let snapshot = setup.resolve().unwrap();
    let before = setup.server.requests().len();
    assert_eq!(resolve_with(&offline, MODEL, &Silent).unwrap(), snapshot);
    let pinned = format!("{MODEL}@{COMMIT}");
    assert_eq!(resolve_with(&offline, &pinned, &Silent).unwrap(), snapshot);

    fs::remove_file(snapshot.join("tokenizer.json")).unwrap();
    let log = Log::default();
    resolve_with(&offline, MODEL, &log).unwrap();
    assert!(log.notes().contains("no tokenizer"), "{}", log.notes());

    fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    let error = resolve_with(&offline, MODEL, &Silent).unwrap_err().to_string();
    assert!(error.contains("missing model.safetensors"), "{error}");
    assert_eq!(setup.server.requests().len(), before);
}

#[test]
fn a_branch_is_noted_under_its_own_name_and_shares_blobs() {
    let setup = Setup::new(Repository::small(1000));
    let branch = format!("{MODEL}@refs/pr/1");
    let snapshot = resolve_with(&setup.options(), &branch, &Silent).unwrap();
    assert_eq!(fs::read_to_string(setup.folder().join("refs/refs/pr/1")).unwrap(), COMMIT);
    assert!(!setup.folder().join("refs/main").exists());
    fs::remove_dir_all(&snapshot).unwrap();
    let gets = setup.server.count("GET", "/resolve/");
    setup.resolve().unwrap();
    assert_eq!(setup.server.count("GET", "/resolve/"), gets, "the blobs were there");
    assert_eq!(setup.server.count("GET", "refs%2Fpr%2F1"), 1);
}

#[test]
fn a_commit_needs_no_ref() {
    let setup = Setup::new(Repository::small(1000));
    resolve_with(&setup.options(), &format!("{MODEL}@{COMMIT}"), &Silent).unwrap();
    assert!(!setup.folder().join("refs").exists());
}

#[test]
fn shards_are_those_the_index_names() {
    let mut repository = Repository::small(0);
    let index = r#"{"weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors"}}"#;
    repository.files.retain(|(name, _)| name != "model.safetensors");
    for (name, text) in [
        ("model-1.safetensors", "one"),
        ("model-2.safetensors", "two"),
        ("consolidated.safetensors", "not needed"),
        ("model.safetensors.index.json", index),
    ] {
        repository.files.push((name.to_owned(), text.as_bytes().to_vec()));
    }
    let setup = Setup::new(repository);
    let snapshot = setup.resolve().unwrap();
    assert_eq!(fs::read(snapshot.join("model-2.safetensors")).unwrap(), b"two");
    assert!(!snapshot.join("consolidated.safetensors").exists());
    assert_eq!(setup.server.count("GET", "consolidated"), 0);
    let offline = HubOptions { offline: true, ..setup.options() };
    fs::remove_file(snapshot.join("model-1.safetensors")).unwrap();
    let error = resolve_with(&offline, MODEL, &Silent).unwrap_err().to_string();
    assert!(error.contains("missing model-1.safetensors"), "{error}");
}

#[test]
fn a_model_without_safetensors_is_refused_with_the_way_out() {
    let mut repository = Repository::small(0);
    repository.files.retain(|(name, _)| name != "model.safetensors");
    let setup = Setup::new(repository);
    let error = setup.error();
    assert!(error.contains("PyTorch") && error.contains("save_pretrained"), "{error}");
    assert_eq!(setup.server.count("GET", "/resolve/"), 0, "nothing was downloaded");
}

#[test]
fn a_file_left_by_another_tool_is_reused() {
    let repository = Repository::small(1000);
    let setup = Setup::new(repository.clone());
    let blobs = setup.folder().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let (name, etag) = ("model.safetensors", repository.etag("model.safetensors"));
    fs::write(blobs.join(&etag), repository.bytes(name)).unwrap();
    setup.resolve().unwrap();
    assert_eq!(setup.server.count("GET", name), 0);
    assert_eq!(setup.server.count("HEAD", name), 1);
}

/// huggingface_hub 2 keeps large files once for all models and links a model's blobs to them.
#[cfg(unix)]
#[test]
fn a_blob_in_the_store_shared_by_all_models_is_reused() {
    let repository = Repository::small(1000);
    let setup = Setup::new(repository.clone());
    let (store, blobs) = (setup.cache.path().join("blobs/ab"), setup.folder().join("blobs"));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(&blobs).unwrap();
    let name = "model.safetensors";
    fs::write(store.join("abcd"), repository.bytes(name)).unwrap();
    let link = blobs.join(repository.etag(name));
    std::os::unix::fs::symlink("../../blobs/ab/abcd", &link).unwrap();
    let snapshot = setup.resolve().unwrap();
    assert_eq!(fs::read(snapshot.join(name)).unwrap(), repository.bytes(name));
    assert_eq!(setup.server.count("GET", name), 0);
    assert!(link.is_symlink());
}

#[test]
fn a_blob_of_the_wrong_size_is_replaced() {
    let repository = Repository::small(1000);
    let setup = Setup::new(repository.clone());
    let snapshot = setup.resolve().unwrap();
    fs::write(snapshot.join("model.safetensors"), "short").unwrap();
    setup.resolve().unwrap();
    assert_eq!(
        fs::read(snapshot.join("model.safetensors")).unwrap(),
        repository.bytes("model.safetensors")
    );
}

#[test]
fn many_at_once_download_a_file_once() {
    let repository = Repository::small(2_000_000);
    let setup = Setup::new(repository.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| setup.resolve().unwrap());
        }
    });
    assert_eq!(setup.server.count("GET", "model.safetensors"), 1);
    let path = setup.folder().join("snapshots").join(COMMIT).join("model.safetensors");
    assert_eq!(fs::read(path).unwrap(), repository.bytes("model.safetensors"));
}

#[test]
fn a_cancelled_download_goes_on_where_it_stopped() {
    let repository = Repository::small(4_000_000);
    let setup = Setup::new(repository.clone());
    let stop = Log { stop_after: 1_000_000, ..Log::default() };
    let error = resolve_with(&setup.options(), MODEL, &stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(stop.open.load(Ordering::SeqCst), 0);
    let etag = repository.etag("model.safetensors");
    let part = setup.folder().join("blobs").join(format!("{etag}.incomplete"));
    let kept = fs::metadata(&part).unwrap().len();
    assert!((900_000..4_000_000).contains(&kept), "{kept}");
    assert!(!setup.folder().join("refs/main").exists());
    setup.resolve().unwrap();
    let requests = setup.server.requests();
    let last = requests.iter().rfind(|request| request.is("GET", "model.safetensors")).unwrap();
    assert_eq!(last.header("range"), Some(format!("bytes={kept}-").as_str()));
    assert!(!part.exists());
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let repository = Repository::small(100_000);
    let weights = repository.bytes("model.safetensors").to_vec();
    let storage = Server::start(move |request| server::ranged(request, &weights));
    let setup = Setup::new(Repository { storage: Some(storage.url()), ..repository.clone() });
    let options = HubOptions { token: Some("hf_secret".to_owned()), ..setup.options() };
    let snapshot = resolve_with(&options, MODEL, &Silent).unwrap();
    let found = fs::read(snapshot.join("model.safetensors")).unwrap();
    assert_eq!(found, repository.bytes("model.safetensors"));
    for request in setup.server.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer hf_secret"), "{request:?}");
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
    assert!(!storage.requests().is_empty());
    for request in storage.requests() {
        assert!(!format!("{request:?}").contains("hf_secret"), "{request:?}");
    }
    assert_eq!(storage.count("HEAD", ""), 0, "the hub's own answer was enough");
}

#[test]
fn a_renamed_model_is_followed_on_the_same_host() {
    let repository = Repository::small(1000);
    let setup = Setup::with(move |request| match request.path.strip_prefix("/old/name") {
        Some(rest) => Answer::new(307, "").with("Location", format!("/{MODEL}{rest}")),
        None if request.path.starts_with("/api/models/old/name") => {
            let path = request.path.replace("old/name", MODEL);
            Answer::new(307, "").with("Location", path)
        }
        None => repository.answer(request),
    });
    let options = HubOptions { token: Some("hf_secret".to_owned()), ..setup.options() };
    let snapshot = resolve_with(&options, "old/name", &Silent).unwrap();
    assert!(snapshot.ends_with(Path::new("models--old--name/snapshots").join(COMMIT)));
    assert!(setup.server.requests().iter().all(|r| r.header("authorization").is_some()));
}
