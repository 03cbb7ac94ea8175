//! Many requests at once, and what becomes of those that fail.

use std::{
    collections::BTreeSet,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use lm::Observer;
use lm::http::{Failure, Patience};

use super::ServerOptions;
use super::answer::Completion;
use super::client::{Ask, Client, GO_ON};
use crate::{Error, Result};

/// Texts that are given up in a row, none finished between them, after which a server is.
const GIVEN_UP: usize = 3;

/// How often the wait before a new try doubles.
const DOUBLINGS: u32 = 5;

/// The longest wait a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How often the observer is asked while the server writes.
const LOOK: Duration = Duration::from_millis(50);

/// What a worker tells.
enum Report {
    Note(String),
    Text(u64, Completion),
    /// A text was given up, for this reason.
    GivenUp(String),
    /// No text can be had.
    Broken(lm::Error),
}

/// What the workers share.
struct Work {
    client: Client,
    patience: Patience,
    asks: Mutex<std::vec::IntoIter<Ask>>,
    stop: AtomicBool,
}

impl Work {
    /// Nothing more is asked for.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A worker's way to the one who waits for it.
struct Worker {
    work: Arc<Work>,
    reports: Sender<Report>,
}

/// How it went so far.
#[derive(Default)]
struct Tally {
    given_up: usize,
    in_a_row: usize,
    reason: String,
    broken: Option<lm::Error>,
    notes: BTreeSet<String>,
}

/// Has `client` ask for every text, several at once, and hands each over when it is there. A text that
/// fails is asked for again; one that is given up is counted, and the others are still asked for, unless
/// the server is found dead. What is being written then is waited for, so that nothing is lost.
///
/// # Errors
/// When a text is given up, the server is none, `sink` fails or the observer cancels.
pub(super) fn write(
    client: Client,
    asks: Vec<Ask>,
    options: &ServerOptions,
    sink: &mut dyn FnMut(u64, Completion) -> Result<()>,
    observer: &dyn Observer,
) -> Result<()> {
    let (url, count) = (client.url().to_owned(), asks.len());
    let patience = Patience {
        retries: options.retries,
        backoff: options.backoff,
        doublings: DOUBLINGS,
        longest: LONGEST_WAIT,
    };
    let (asks, stop) = (Mutex::new(asks.into_iter()), AtomicBool::new(false));
    let work = Arc::new(Work { client, patience, asks, stop });
    // However this ends, nothing new is asked for afterwards. A worker that waits for the server is not
    // waited for by somebody who wants to stop: it ends with its request.
    let _stop = Stop(&work);
    observer.started("a server writes", count as u64);
    let (workers, reports) = start(&work, options.concurrency.min(count));
    let tally = listen(&reports, &work, sink, observer)?;
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
    observer.finished();
    tally.result(&url, count)
}

fn start(work: &Arc<Work>, count: usize) -> (Vec<JoinHandle<()>>, Receiver<Report>) {
    let (sender, reports) = channel();
    let worker = |_| {
        let worker = Worker { work: work.clone(), reports: sender.clone() };
        thread::spawn(move || worker.run())
    };
    ((0..count).map(worker).collect(), reports)
}

/// Takes what the workers tell until all of them are through.
fn listen(
    reports: &Receiver<Report>,
    work: &Work,
    sink: &mut dyn FnMut(u64, Completion) -> Result<()>,
    observer: &dyn Observer,
) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        observer.check()?;
        match reports.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(tally),
            Ok(Report::Text(stream, completion)) => {
                sink(stream, completion)?;
                tally.in_a_row = 0;
                observer.advanced(1);
            }
            Ok(Report::Note(note)) => {
                if tally.notes.insert(note.clone()) {
                    observer.note(&note);
                }
            }
            Ok(Report::GivenUp(reason)) => tally.give_up(reason),
            Ok(Report::Broken(error)) => tally.broken = tally.broken.or(Some(error)),
        }
        if tally.broken.is_some() || tally.in_a_row >= GIVEN_UP {
            work.stop();
        }
    }
}

impl Tally {
    fn give_up(&mut self, reason: String) {
        self.given_up += 1;
        self.in_a_row += 1;
        self.reason = reason;
    }

    fn result(self, url: &str, count: usize) -> Result<()> {
        let error = match self {
            Self { broken: Some(error), .. } => error,
            Self { given_up: 0, .. } => return Ok(()),
            Self { given_up, reason, .. } => lm::Error::Network {
                url: url.to_owned(),
                problem: format!("{given_up} of {count} texts were given up; the last: {reason}"),
                hint: GO_ON.to_owned(),
            },
        };
        Err(Error::Model(error))
    }
}

impl Worker {
    /// Asks for text after text.
    fn run(&self) {
        while let Some(ask) = self.next() {
            let attempt = || self.work.client.write(&ask);
            let report = match self.work.patience.retry(self.work.client.url(), self, attempt) {
                Ok(completion) => Report::Text(ask.stream, completion),
                Err(Failure::Passing { problem, .. }) => Report::GivenUp(problem),
                Err(Failure::Final(lm::Error::Cancelled)) => return,
                Err(Failure::Final(error)) => {
                    self.work.stop();
                    Report::Broken(error)
                }
            };
            // nobody listens after an error
            if self.reports.send(report).is_err() {
                return;
            }
        }
    }

    fn next(&self) -> Option<Ask> {
        if self.cancelled() {
            return None;
        }
        self.work.asks.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl Observer for Worker {
    fn note(&self, note: &str) {
        // nobody listens after an error
        let _ = self.reports.send(Report::Note(note.to_owned()));
    }

    fn cancelled(&self) -> bool {
        self.work.stop.load(Ordering::Relaxed)
    }
}

struct Stop<'a>(&'a Work);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
