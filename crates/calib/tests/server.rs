//! Texts that a server writes, and servers that fail in every way.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use calib::{
    CalibrationSet, Error, Origin, Recipe, ServerOptions, ServerSettings, SynthesisSettings,
    Workspace,
};
use common::{Bench, recipe, sentences};
use lm::{Observer, Silent};
use testkit::completions::{answer, asked, complete};
use testkit::server::{Answer, Request, Server};

const KEY: &str = "sk-hidden";

/// A server that `handler` scripts, and a model at hand.
struct Setup {
    bench: Bench,
    server: Server,
    options: ServerOptions,
}

impl Setup {
    fn new(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let options = ServerOptions {
            concurrency: 4,
            retries: 3,
            backoff: Duration::from_millis(1),
            timeout: Duration::from_secs(20),
            key: Some(KEY.into()),
        };
        Self { bench: Bench::new(), server: Server::start(handler), options }
    }

    /// A server that fails as `fault` says when it is asked for a text the first time; of those texts
    /// whose seed it picks. It is given how often it was asked for the text before.
    fn faulty(fault: impl Fn(usize, Answer) -> Answer + Send + Sync + 'static) -> Self {
        let tries = Mutex::new(BTreeMap::new());
        Self::new(move |request| {
            let seed = asked(request)["seed"].as_u64().unwrap();
            let mut tries = tries.lock().unwrap();
            let before = tries.entry(seed).or_insert(0);
            *before += 1;
            let before = *before - 1;
            drop(tries);
            fault(before, complete(request))
        })
    }

    fn recipe(&self) -> Recipe {
        let prefixes = self.bench.file("prefixes.txt", sentences(60));
        let synthesis = SynthesisSettings {
            strategy: "server".into(),
            server: Some(ServerSettings { url: self.server.url(), model: "model".into() }),
            prefix_file: Some(prefixes.into()),
            ..SynthesisSettings::default()
        };
        Recipe { synthesis, ..recipe("self", 12, 48) }
    }

    fn collect(&self, recipe: &Recipe) -> Result<CalibrationSet, Error> {
        self.collect_watched(recipe, None, &Silent)
    }

    fn collect_watched(
        &self,
        recipe: &Recipe,
        cache: Option<&Path>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet, Error> {
        let server = Some(&self.options);
        calib::collect(recipe, &Workspace { server, cache, ..self.bench.workspace() }, observer)
    }

    /// The sequences that come of it.
    fn sequences(&self) -> Vec<Vec<u32>> {
        self.collect(&self.recipe()).unwrap().sequences
    }

    /// What a run that must fail says.
    fn failure(&self) -> String {
        let error = self.collect(&self.recipe()).unwrap_err();
        assert!(!error.is_bad_input(), "{error}");
        let error = error.to_string();
        assert!(error.starts_with(&format!("{}/v1/completions: ", self.server.url())), "{error}");
        assert!(error.contains("run the same command again to go on"), "{error}");
        assert!(!error.contains(KEY), "{error}");
        error
    }

    fn seeds(&self) -> Vec<u64> {
        let requests = self.server.requests();
        requests.iter().map(|request| asked(request)["seed"].as_u64().unwrap()).collect()
    }
}

/// What a server without faults gives.
fn expected() -> Vec<Vec<u32>> {
    Setup::new(complete).sequences()
}

#[test]
fn texts_of_a_server_fill_the_windows_and_are_scored_by_the_model_at_hand() {
    let setup = Setup::new(complete);
    let set = setup.collect(&setup.recipe()).unwrap();
    assert_eq!((set.sequences.len(), set.length()), (12, Some(48)));
    let requests = setup.server.requests();
    assert!(requests.iter().all(|request| request.is("POST", "/v1/completions")));
    let bearer = format!("Bearer {KEY}");
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&bearer)));
    let fields = asked(&requests[0]);
    let sent = |name: &str| fields[name].as_f64().unwrap();
    for (name, value) in [("temperature", 0.6), ("top_p", 0.95), ("top_k", 50.0), ("min_p", 0.0)] {
        assert_eq!(sent(name), value, "{name}");
    }
    assert_eq!((sent("repetition_penalty"), sent("repeat_penalty")), (1.2, 1.2));
    assert_eq!(
        (sent("max_tokens"), sent("n"), fields["stream"].as_bool()),
        (44.0, 1.0, Some(false))
    );
    assert_eq!(fields["model"], "model");
    let source = sentences(60);
    let mut prompts = BTreeSet::new();
    for request in &requests {
        let prompt = asked(request)["prompt"].as_str().unwrap().to_owned();
        assert!(!prompt.is_empty() && source.contains(&prompt), "{prompt:?}");
        prompts.insert(prompt);
    }
    assert!(prompts.len() > 8, "{prompts:?}");
    let provenance = &set.provenance;
    assert_eq!((&provenance.model, &provenance.precision), (&None, &None));
    assert!(provenance.dropped["perplexity"] >= 1);
    for origin in &provenance.origins {
        let Origin::Generated { pieces } = origin else { panic!("{origin:?}") };
        let scored = |perplexity: f64| perplexity > 1.0 && perplexity < 1e5;
        assert!(pieces.iter().all(|piece| piece.prefix == 4 && scored(piece.perplexity)));
    }
}

#[test]
fn without_prefixes_texts_begin_where_the_model_begins() {
    let setup = Setup::new(complete);
    let mut recipe = setup.recipe();
    recipe.synthesis.prefix_file = None;
    let set = setup.collect(&recipe).unwrap();
    // the tokenizer of the tiny model puts the beginning-of-text token there by itself
    assert!(setup.server.requests().iter().all(|request| asked(request)["prompt"] == ""));
    assert!(set.sequences.iter().all(|sequence| sequence[0] != testkit::BOS));
    assert!(set.provenance.text_digest.is_none());
}

#[test]
fn sets_do_not_depend_on_the_order_of_arrival() {
    let expected = expected();
    for concurrency in [1, 3, 16] {
        let mut setup = Setup::new(|request| {
            let seed = asked(request)["seed"].as_u64().unwrap();
            Answer { delay: Duration::from_millis(seed % 40), ..complete(request) }
        });
        setup.options.concurrency = concurrency;
        assert_eq!(setup.sequences(), expected, "{concurrency}");
    }
}

#[test]
fn faults_that_pass_change_nothing() {
    type Fault = fn(usize, Answer) -> Answer;
    let faults: &[(&str, Fault)] = &[
        ("too many requests", |_, _| Answer::new(429, "later").with("Retry-After", 0)),
        ("a date to wait for", |_, _| {
            let date = "Sun, 06 Nov 1994 08:49:37 GMT";
            Answer::new(503, "").with("Retry-After", date).with("Date", date)
        }),
        ("an error of the server", |_, _| Answer::new(500, b"\xff\x00 oops".to_vec())),
        ("a body cut off", |_, answer| Answer { cut: Some(answer.body.len() / 2), ..answer }),
        ("a connection closed at once", |_, answer| Answer { silent: true, ..answer }),
        ("no JSON", |_, _| Answer::new(200, "{oops").with("Content-Type", "application/json")),
        ("no UTF-8", |_, _| {
            let body = b"{\"choices\":[{\"text\":\"\xff\",\"finish_reason\":\"stop\"}]}".to_vec();
            Answer::new(200, body).with("Content-Type", "application/json")
        }),
        ("a text broken off", |_, _| answer("half a t", "abort")),
        ("an answer too late", |_, answer| Answer { delay: Duration::from_secs(3), ..answer }),
    ];
    let expected = expected();
    for (name, fault) in faults {
        let mut setup = Setup::faulty(|before, answer| match before {
            0 | 1 => fault(before, answer),
            _ => answer,
        });
        if *name == "an answer too late" {
            setup.options.timeout = Duration::from_millis(1500);
            setup.options.concurrency = 16;
        }
        assert_eq!(setup.sequences(), expected, "{name}");
        let asked = setup.seeds().len();
        assert!(asked >= 3 * setup.seeds().into_iter().collect::<BTreeSet<_>>().len(), "{name}");
    }
}

#[test]
fn a_server_is_not_asked_again_before_the_time_it_names() {
    let begun = Instant::now();
    let mut setup = Setup::faulty(|before, answer| match before {
        0 => Answer::new(429, "").with("Retry-After", 2),
        _ => answer,
    });
    setup.options.concurrency = 64;
    setup.sequences();
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn what_is_no_server_of_completions_is_said_at_once() {
    let elsewhere = Server::start(complete);
    let other = elsewhere.url();
    let json = |status: u16, body: &str| {
        Answer::new(status, body.as_bytes()).with("Content-Type", "application/json")
    };
    let cases = [
        (json(401, &format!("{{\"error\":\"wrong key {KEY}\"}}")), "SECATEUR_SERVER_KEY"),
        (json(404, "{\"detail\":\"no model\"}"), "answers 404 Not Found: \"{\\\"detail"),
        (json(400, "{\"error\":\"top_k?\"}"), "answers 400 Bad Request: \"{\\\"error"),
        (Answer::new(307, "").with("Location", format!("{other}/v1/completions")), "points to"),
        (
            Answer::new(200, "<html>hello").with("Content-Type", "text/html"),
            "begins \"<html>hello\"",
        ),
        (Answer::new(200, "{}"), "application/json expected, nothing found"),
        (json(200, "{\"choices\":[{\"finish_reason\":\"stop\"}]}"), "missing field `text`"),
        (json(200, "{\"object\":\"list\"}"), "missing field `choices`"),
        (json(200, &"[".repeat(3 << 20)), "longer than"),
        (json(200, "{\"choices\":[]}"), "one choice expected, 0 found"),
    ];
    for (answer, expected) in cases {
        let setup = Setup::new(move |_| answer.clone());
        let found = setup.failure();
        assert!(found.contains(expected), "{expected}: {found}");
        assert!(setup.server.requests().len() <= setup.options.concurrency, "{expected}");
    }
    assert!(elsewhere.requests().is_empty(), "the key went to another host");
}

#[test]
fn a_server_that_is_not_there_is_given_up() {
    let mut setup = Setup::new(complete);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut recipe = setup.recipe();
    recipe.synthesis.server.as_mut().unwrap().url = format!("http://{nowhere}");
    setup.options.retries = 1;
    let notes = Notes::default();
    let error = setup.collect_watched(&recipe, None, &notes).unwrap_err().to_string();
    assert!(error.contains("texts were given up; the last: connection refused"), "{error}");
    let again: Vec<String> = notes.0.into_inner().unwrap();
    let again = again.iter().filter(|note| note.contains("trying again")).count();
    assert_eq!(again, 1, "said once, not by every worker");
}

#[test]
fn one_text_that_fails_does_not_keep_the_others() {
    let first = Arc::new(Mutex::new(None));
    let setup = Setup::new({
        let first = first.clone();
        move |request| {
            let seed = asked(request)["seed"].as_u64().unwrap();
            let poison = *first.lock().unwrap().get_or_insert(seed);
            if seed == poison { Answer::new(500, "this prompt again") } else { complete(request) }
        }
    });
    let cache = setup.bench.path("cache");
    let recipe = setup.recipe();
    let error = setup.collect_watched(&recipe, Some(&cache), &Silent).unwrap_err().to_string();
    assert!(error.contains("1 of 15 texts were given up"), "{error}");
    assert!(error.contains("500 Internal Server Error: \\\"this") || error.contains("this prompt"));
    let poison = first.lock().unwrap().unwrap();
    let tries = setup.seeds().iter().filter(|seed| **seed == poison).count();
    assert_eq!(tries as u32, 1 + setup.options.retries);
    // 14 texts are kept, a line each beside the first
    assert_eq!(journal(&cache).lines().count(), 15);
}

#[test]
fn a_server_that_dies_half_way_costs_no_text_and_is_asked_only_for_the_rest() {
    let (left, alive) = (AtomicUsize::new(7), Arc::new(AtomicBool::new(false)));
    let setup = Setup::new({
        let alive = alive.clone();
        move |request| {
            let take = |left: usize| left.checked_sub(1);
            let lives = alive.load(Ordering::SeqCst)
                || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok();
            if lives { complete(request) } else { Answer { silent: true, ..Answer::new(200, "") } }
        }
    });
    let (recipe, cache) = (setup.recipe(), setup.bench.path("cache"));
    let error = setup.collect_watched(&recipe, Some(&cache), &Silent).unwrap_err();
    assert!(error.to_string().contains("texts were given up"), "{error}");
    assert_eq!(journal(&cache).lines().count(), 1 + 7);
    let before = setup.seeds();
    alive.store(true, Ordering::SeqCst);
    let notes = Notes::default();
    let set = setup.collect_watched(&recipe, Some(&cache), &notes).unwrap();
    assert_eq!(set.sequences, expected());
    let rest = setup.seeds()[before.len()..].to_vec();
    let all: BTreeSet<u64> = rest.iter().copied().collect();
    assert_eq!(all.len(), rest.len(), "asked once each");
    let fresh = Setup::new(complete);
    fresh.collect(&fresh.recipe()).unwrap();
    assert_eq!(rest.len() + 7, fresh.seeds().len());
    assert!(notes.0.into_inner().unwrap()[0].contains("7 texts of an earlier run are used again"));
    // a finished set needs no server, and nothing that is kept holds the key
    drop(setup.server);
    let setup = Setup { server: Server::start(|_| Answer::new(500, "")), ..setup };
    assert_eq!(setup.collect_watched(&recipe, Some(&cache), &Silent).unwrap(), set);
    assert!(!journal(&cache).contains(KEY));
    assert!(!serde_json::to_string(&set.provenance).unwrap().contains(KEY));
}

/// The journal of texts in a cache.
fn journal(cache: &Path) -> String {
    let folder = fs::read_dir(cache.join("calibration")).unwrap().next().unwrap().unwrap().path();
    fs::read_to_string(folder.join("texts.jsonl")).unwrap()
}

/// Keeps notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn note(&self, note: &str) {
        self.0.lock().unwrap().push(note.into());
    }
}

/// Asks to stop after some time.
struct Impatient(Instant);

impl Observer for Impatient {
    fn cancelled(&self) -> bool {
        self.0.elapsed() > Duration::from_millis(300)
    }
}

#[test]
fn who_wants_to_stop_does_not_wait_for_the_server() {
    let setup =
        Setup::new(|request| Answer { delay: Duration::from_secs(20), ..complete(request) });
    let begun = Instant::now();
    let error = setup.collect_watched(&setup.recipe(), None, &Impatient(begun)).unwrap_err();
    assert!(matches!(error, Error::Model(lm::Error::Cancelled)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let setup = Setup::new(complete);
    let refusal = |change: &dyn Fn(&mut SynthesisSettings)| {
        let mut recipe = setup.recipe();
        change(&mut recipe.synthesis);
        setup.bench.refusal(&recipe)
    };
    assert!(refusal(&|s| s.server = None).contains("needs an address"));
    assert!(refusal(&|s| s.strategy = "prefix".into()).contains("asks no server"));
    let at = |url: &'static str| refusal(&move |s| s.server.as_mut().unwrap().url = url.into());
    assert!(at("localhost:8000").starts_with("server: an address such as"));
    let secret = at("http://user:hidden@localhost");
    assert!(secret.contains("SECATEUR_SERVER_KEY") && !secret.contains("hidden"), "{secret}");
    assert!(setup.server.requests().is_empty());
    let none = Setup { options: ServerOptions { concurrency: 0, ..setup.options }, ..setup };
    let error = none.collect(&none.recipe()).unwrap_err().to_string();
    assert!(error.starts_with("server_concurrency: 1 to 1024 expected"), "{error}");
}
