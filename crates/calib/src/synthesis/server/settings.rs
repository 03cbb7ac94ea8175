//! Which server writes, and how it is spoken to.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The environment variable that holds the key.
const KEY: &str = "SECATEUR_SERVER_KEY";

/// Texts that may be asked for at once.
const MOST_AT_ONCE: usize = 1024;

/// What every address of the interface begins with.
const VERSION: &str = "/v1";

/// Which server writes, and with which model: what its texts depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// The server's address, such as `http://localhost:8000`, with or without `/v1`.
    pub url: String,
    /// The name by which the server knows the model that is to write.
    pub model: String,
}

impl ServerSettings {
    /// Checks the address and the name.
    ///
    /// # Errors
    /// When the address is none, or holds what should not be written down; the error does not repeat
    /// that.
    pub(crate) fn validate(&self) -> Result<()> {
        let host = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            let problem = "an address such as http://localhost:8000 expected";
            return Err(Error::setting("server", problem));
        };
        if host.contains(['@', '?', '#']) {
            let problem = format!(
                "an address without user name, password, question mark and # expected; a key goes \
                 into the environment variable {KEY}"
            );
            return Err(Error::setting("server", problem));
        }
        if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "an address without spaces and control characters expected";
            return Err(Error::setting("server", problem));
        }
        if self.model.trim().is_empty() {
            let problem = "the name of a model expected, nothing found";
            return Err(Error::setting("server_model", problem));
        }
        Ok(())
    }

    /// The address that completions are asked of.
    pub(super) fn completions(&self) -> String {
        let base = self.url.trim_end_matches('/');
        format!("{}{VERSION}/completions", base.strip_suffix(VERSION).unwrap_or(base))
    }
}

/// How a server is spoken to: what its texts do not depend on.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Sent to the server as a bearer token, and to no other host.
    pub key: Option<String>,
    /// Texts that are asked for at once.
    pub concurrency: usize,
    /// How often a text that failed for a passing reason is asked for again.
    pub retries: u32,
    /// The wait before it is asked for again the first time; it doubles with every further one, up
    /// to 32 times as long.
    pub backoff: Duration,
    /// How long one text may take.
    pub timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            key: None,
            concurrency: 16,
            retries: 8,
            backoff: Duration::from_secs(1),
            timeout: Duration::from_secs(600),
        }
    }
}

impl ServerOptions {
    /// The options with the key that the environment variable `SECATEUR_SERVER_KEY` holds; `lookup`
    /// gives a variable's value. A variable that is empty counts as unset.
    ///
    /// # Errors
    /// When the key cannot be sent; the error does not show it.
    pub fn with_key(self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let key = lookup(KEY).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        if key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            let problem = "a key without spaces and control characters expected";
            return Err(Error::setting(KEY, problem));
        }
        Ok(Self { key, ..self })
    }

    pub(super) fn validate(&self) -> Result<()> {
        if !(1..=MOST_AT_ONCE).contains(&self.concurrency) {
            let problem = format!("1 to {MOST_AT_ONCE} expected, {} found", self.concurrency);
            return Err(Error::setting("server_concurrency", problem));
        }
        if self.timeout.is_zero() {
            return Err(Error::setting("server_timeout", "at least 1 second expected, 0 found"));
        }
        Ok(())
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("key", &self.key.as_ref().map(|_| "…"))
            .field("concurrency", &self.concurrency)
            .field("retries", &self.retries)
            .field("backoff", &self.backoff)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> ServerSettings {
        ServerSettings { url: url.into(), model: "m".into() }
    }

    #[test]
    fn an_address_is_one_with_or_without_its_version() {
        for url in ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"] {
            settings(url).validate().unwrap();
            assert_eq!(settings(url).completions(), "http://a:1/v1/completions");
        }
        assert_eq!(settings("https://a/b").completions(), "https://a/b/v1/completions");
        assert_eq!(settings("https://a/xv1").completions(), "https://a/xv1/v1/completions");
    }

    #[test]
    fn what_is_no_address_or_holds_a_secret_is_refused_and_not_repeated() {
        for url in ["", "a:1", "ftp://a", "http://", "http://me:hidden@a", "http://a?key=hidden"] {
            let found = settings(url).validate().unwrap_err().to_string();
            assert!(found.starts_with("server: an address"), "{found}");
            assert!(!found.contains("hidden"), "{found}");
        }
        let nameless = ServerSettings { model: " ".into(), ..settings("http://a") };
        assert!(nameless.validate().unwrap_err().to_string().starts_with("server_model: "));
    }

    #[test]
    fn a_key_is_taken_from_the_environment_and_never_shown() {
        let with = |key: &str| ServerOptions::default().with_key(|_| Some(key.to_owned()));
        assert_eq!(with(" \n").unwrap().key, None);
        let options = with("hidden\n").unwrap();
        assert_eq!(options.key.as_deref(), Some("hidden"));
        assert!(!format!("{options:?}").contains("hidden"));
        let split = with("hidden\r\nX: y").unwrap_err().to_string();
        assert!(split.starts_with(KEY) && !split.contains("hidden"), "{split}");
    }

    #[test]
    fn options_that_serve_nothing_are_refused() {
        for concurrency in [0, MOST_AT_ONCE + 1] {
            let options = ServerOptions { concurrency, ..ServerOptions::default() };
            assert!(options.validate().is_err());
        }
        let options = ServerOptions { timeout: Duration::ZERO, ..ServerOptions::default() };
        assert!(options.validate().is_err());
        ServerOptions::default().validate().unwrap();
    }
}
