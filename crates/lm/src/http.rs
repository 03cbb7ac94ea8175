//! Requests over HTTP: agents that follow no redirect by themselves, and failures that may pass.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use ureq::{
    Agent,
    config::ConfigBuilder,
    http::{Response, Uri},
    typestate::AgentScope,
};

use crate::{Error, Observer, Result};

/// Why one try at a request failed.
#[derive(Debug)]
pub enum Failure {
    /// For a reason that may pass.
    Passing {
        /// What went wrong.
        problem: String,
        /// Whether the try was of use all the same.
        progressed: bool,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
    /// For good.
    Final(Error),
}

impl Failure {
    /// A failure that may pass and was of no use.
    pub fn passing(problem: impl Into<String>) -> Self {
        Failure::Passing { problem: problem.into(), progressed: false, wait: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// The result of one try, or of several.
pub type Try<T> = std::result::Result<T, Failure>;

/// How often and how soon a request that failed for a passing reason is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Failures in a row, without progress, after which the next is the last.
    pub retries: u32,
    /// The wait before the first new try; it doubles with every further one.
    pub backoff: Duration,
    /// How often it doubles at most.
    pub doublings: u32,
    /// The longest wait a server may ask for.
    pub longest: Duration,
}

impl Patience {
    /// Tries until `attempt` succeeds, fails for good, or fails too often in a row. The first
    /// failure is noted under the name `what`.
    ///
    /// # Errors
    /// The last failure; [`Error::Cancelled`] when the observer cancels.
    pub fn retry<T>(
        &self,
        what: &str,
        observer: &dyn Observer,
        mut attempt: impl FnMut() -> Try<T>,
    ) -> Try<T> {
        let (mut failures, mut noted) = (0, false);
        loop {
            observer.check()?;
            let (problem, progressed, wait) = match attempt() {
                Err(Failure::Passing { problem, progressed, wait }) => (problem, progressed, wait),
                done => return done,
            };
            failures = if progressed { 1 } else { failures + 1 };
            if failures > self.retries {
                return Err(Failure::Passing { problem, progressed, wait });
            }
            if !noted {
                observer.note(&format!("{what}: {problem}: trying again"));
                noted = true;
            }
            let backoff = self.backoff * (1 << (failures - 1).min(self.doublings));
            sleep(wait.map_or(backoff, |wait| wait.min(self.longest)), observer)?;
        }
    }
}

/// Waits, and asks the observer meanwhile.
fn sleep(wait: Duration, observer: &dyn Observer) -> Result<()> {
    let end = Instant::now() + wait;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        observer.check()?;
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// What every agent that speaks to `address` has in common: it gives statuses and redirects back as
/// they are, and bodies as they were sent.
pub fn agent(address: &str) -> ConfigBuilder<AgentScope> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0) // whoever asks decides who may see a secret
        .max_redirects_will_error(false)
        .user_agent(concat!("secateur/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity"); // sizes and hashes are those of what was sent
    // A server on this machine is never behind the proxy that the environment may name.
    if is_local(address) { config.proxy(None) } else { config }
}

/// A header's text.
pub fn header<'a, B>(answer: &'a Response<B>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Says what went wrong below HTTP, down to the innermost reason.
pub fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        error => error.to_string(),
    }
}

/// Whether a server is on this machine.
fn is_local(address: &str) -> bool {
    let uri: Option<Uri> = address.parse().ok();
    let host = uri.as_ref().and_then(Uri::host);
    host.is_some_and(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_server_is_told_from_others() {
        for address in ["http://127.0.0.1:80", "http://localhost", "http://[::1]:8080"] {
            assert!(is_local(address), "{address}");
        }
        for address in ["https://hub.example", "https://localhost.example", "http://10.0.0.1"] {
            assert!(!is_local(address), "{address}");
        }
    }
}
