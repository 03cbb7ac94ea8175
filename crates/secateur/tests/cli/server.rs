//! Calibration data that a server writes, from the command line.

use std::fs;
use std::path::Path;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::{Bench, Run, text};
use testkit::{
    completions::{asked, complete},
    server::{Answer, Request, Server},
};

const KEY: &str = "sk-hidden";

/// Runs `line` against `server`, with a key.
fn run(bench: &Bench, server: &Server, line: &str) -> Run {
    let line = format!("{line} --synthesis server --server {} --server-model m", server.url());
    let mut command = bench.command(line.split_whitespace());
    let output = command.env("SECATEUR_SERVER_KEY", KEY).output().unwrap();
    bench.ran(&line, output)
}

/// Whether a file of the folder holds the key.
fn holds_key(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let holds = |bytes: Vec<u8>| bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes());
        if path.is_dir() { holds_key(&path) } else { holds(fs::read(path).unwrap()) }
    })
}

/// A server that gives so many texts and then fails, and the seeds of those it gave.
#[derive(Default)]
struct Tired {
    left: AtomicUsize,
    given: Mutex<Vec<u64>>,
}

impl Tired {
    fn start(self: &Arc<Self>) -> Server {
        let own = self.clone();
        Server::start(move |request| {
            let take = |left: usize| left.checked_sub(1);
            match own.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
                Ok(_) => {
                    own.given.lock().unwrap().push(seed(request));
                    complete(request)
                }
                Err(_) => Answer::new(500, "out of memory"),
            }
        })
    }
}

#[test]
fn a_set_is_made_by_a_server_that_dies_half_way() {
    let bench = Bench::new();
    fs::write(bench.path("prefixes.txt"), text(900)).unwrap();
    let tired = Arc::new(Tired { left: AtomicUsize::new(4), ..Tired::default() });
    let server = tired.start();
    let line = "calibrate demo -o set.safetensors --samples 8 --length 64 --prefixes prefixes.txt \
                --server-retries 0 --server-concurrency 2 --temperature 0.5 --temperature 1";
    let failed = run(&bench, &server, line);
    assert_eq!(failed.code(), Some(1), "{}", failed.stderr());
    let url = server.url();
    for part in [
        "error: no calibration data can be made",
        &format!("caused by: {url}/v1/completions: "),
        "of 10 texts were given up; the last: the server answers 500 Internal Server Error: \"out of",
        "hint: run the same command again to go on",
    ] {
        assert!(failed.error().contains(part), "{part} expected in\n{}", failed.error());
    }
    assert!(!bench.path("set.safetensors").exists());
    let first = std::mem::take(&mut *tired.given.lock().unwrap());
    tired.left.store(1000, Ordering::SeqCst);
    let (before, made) = (server.requests().len(), run(&bench, &server, line).succeeded());
    assert!(
        made.stderr().contains("4 texts of an earlier run are used again"),
        "{}",
        made.stderr()
    );
    let rest = &server.requests()[before..];
    assert!(rest.len() >= 6, "{}", rest.len());
    assert!(rest.iter().all(|request| !first.contains(&seed(request))), "asked for twice");
    let shown = bench.run("inspect set.safetensors").succeeded().stdout();
    assert!(shown.contains(&format!("text that m at {url} wrote")), "{shown}");
    assert!(!holds_key(&bench.path("")), "the key was written down");
    assert!(!failed.stderr().contains(KEY) && !made.stderr().contains(KEY));
    let bearer = format!("Bearer {KEY}");
    assert!(rest.iter().all(|request| request.header("authorization") == Some(&bearer)));
}

fn seed(request: &Request) -> u64 {
    asked(request)["seed"].as_u64().unwrap()
}

#[test]
fn a_model_is_pruned_on_what_a_server_writes() {
    let bench = Bench::new();
    let server = Server::start(complete);
    let report = run(&bench, &server, "prune dense -o out --samples 4 --length 32 --json");
    let report = report.succeeded().json();
    assert_eq!(report["recipe"]["prune"]["server-model"], "m");
    assert!(!holds_key(&bench.path("")));
}

#[test]
fn a_server_is_asked_for_by_name_and_address() {
    let bench = Bench::new();
    let refused = |more: &str| {
        let line = format!("calibrate dense -o set.safetensors --samples 4 --length 32 {more}");
        bench.run(&line).refused().error()
    };
    for (more, expected) in [
        ("--synthesis server", "needs an address"),
        ("--synthesis server --server http://localhost:1", "--server-model"),
        ("--server http://localhost:1 --server-model m", "asks no server"),
        ("--synthesis server --server-retries 2", "--server"),
        (
            "--synthesis server --server http://me:pass@localhost --server-model m",
            "SECATEUR_SERVER_KEY",
        ),
        (
            "--synthesis server --server http://localhost:1 --server-model m --server-timeout 0",
            "server_timeout: at least 1 second",
        ),
    ] {
        let found = refused(more);
        assert!(found.contains(expected), "{more}: {expected} expected in\n{found}");
    }
}
