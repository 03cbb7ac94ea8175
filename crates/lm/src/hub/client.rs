//! Requests to a hub: redirects, retries, and what its refusals mean.

use std::time::Duration;

use ureq::{
    Agent, Body,
    http::{
        Response, StatusCode, Uri,
        header::{AUTHORIZATION, RANGE},
    },
};

use super::{
    HubOptions, ModelId,
    digest::Etag,
    listing::{Entry, Listing},
    refusal::{self, unreachable},
};
use crate::http::{self, Failure, Patience, Try, describe};
use crate::{Error, Observer, Result};

/// The most bytes of a list of files that are read.
const LARGEST_LISTING: u64 = 32 << 20;
/// The most redirects that are followed for one request.
const MOST_REDIRECTS: usize = 8;
/// How often the wait before a new try doubles.
const MOST_DOUBLINGS: u32 = 3;
/// The longest wait a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A file as the server announces it.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) etag: Etag,
    /// Bytes.
    pub(super) size: u64,
}

/// Speaks to the hub about one model.
pub(super) struct Client<'a> {
    agent: Agent,
    pub(super) options: &'a HubOptions,
    pub(super) id: &'a ModelId,
    pub(super) observer: &'a dyn Observer,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Head,
    Get,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        options: &'a HubOptions,
        id: &'a ModelId,
        observer: &'a dyn Observer,
    ) -> Self {
        let timeout = Some(options.timeout);
        let config = http::agent(&options.endpoint)
            .timeout_connect(timeout)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout);
        Self { agent: config.build().new_agent(), options, id, observer }
    }

    /// The files of the revision; a failure that may pass is met with `retries` further tries.
    pub(super) fn listing(&self, retries: u32) -> Result<Listing> {
        let (endpoint, name, kind) = (&self.options.endpoint, self.id.name(), self.id.kind());
        let revision = encode(self.id.revision(), "");
        let url = format!("{endpoint}/api/{kind}/{name}/revision/{revision}?blobs=true");
        let answer = self.retry(&url, retries, || {
            let mut answer = self.send(Method::Get, &url, None)?;
            let body = answer.body_mut().with_config().limit(LARGEST_LISTING).read_to_vec();
            body.map_err(|error| Failure::passing(error.to_string()))
        })?;
        Listing::parse(&answer).map_err(|refusal| Error::Network {
            url,
            problem: refusal.problem,
            hint: refusal.hint.to_owned(),
        })
    }

    /// What the server announces of a file.
    pub(super) fn head(&self, commit: &str, entry: &Entry) -> Result<Remote> {
        let url = self.file_url(commit, &entry.name);
        let answer = self.retry(&url, self.options.retries, || {
            Ok(self.send(Method::Head, &url, None)?.map(|_| ()))
        })?;
        let broken = |problem: String| refusal::broken(&url, problem);
        if http::header(&answer, "x-repo-commit").is_some_and(|found| found != commit) {
            return Err(broken(format!("asked for commit {commit}, the server gives another")));
        }
        let etag = http::header(&answer, "x-linked-etag").or_else(|| http::header(&answer, "etag"));
        let etag = etag.ok_or_else(|| broken("the server gives no etag".to_owned()))?;
        let etag =
            Etag::parse(etag).ok_or_else(|| broken(format!("the etag {etag:?} is refused")))?;
        let linked = http::header(&answer, "x-linked-size").or_else(|| {
            let own = !answer.status().is_redirection();
            http::header(&answer, "content-length").filter(|_| own)
        });
        let size = linked.and_then(|size| size.parse().ok()).or(entry.size);
        let size = size.ok_or_else(|| broken("the server does not give the size".to_owned()))?;
        if entry.size.is_some_and(|listed| listed != size) {
            return Err(broken(format!("{size} bytes, the list of files says {:?}", entry.size)));
        }
        if size > entry.limit() {
            return Err(broken(format!("{size} bytes, at most {} are taken", entry.limit())));
        }
        Ok(Remote { etag, size })
    }

    /// One try at the bytes of a file from byte `start` on.
    pub(super) fn get(&self, url: &str, start: u64) -> Try<Response<Body>> {
        self.send(Method::Get, url, (start > 0).then_some(start))
    }

    /// The address of a file.
    pub(super) fn file_url(&self, commit: &str, name: &str) -> String {
        format!(
            "{}/{}/resolve/{commit}/{}",
            self.options.endpoint,
            self.id.place(),
            encode(name, "/")
        )
    }

    /// Tries until it succeeds, fails for good, or fails more than `retries` times in a row
    /// without progress.
    pub(super) fn retry<T>(
        &self,
        url: &str,
        retries: u32,
        attempt: impl FnMut() -> Try<T>,
    ) -> Result<T> {
        let patience = Patience {
            retries,
            backoff: self.options.backoff,
            doublings: MOST_DOUBLINGS,
            longest: LONGEST_WAIT,
        };
        patience.retry(url, self.observer, attempt).map_err(|failure| match failure {
            Failure::Final(error) => error,
            Failure::Passing { problem, .. } => unreachable(url, problem),
        })
    }

    /// One try: sends the request and follows its redirects. The token goes to the endpoint alone.
    /// A question for the head of a file ends at the first answer that has the file's own etag.
    fn send(&self, method: Method, url: &str, start: Option<u64>) -> Try<Response<Body>> {
        let final_error = |problem: String| Failure::Final(refusal::broken(url, problem));
        let parse = |text: &str| {
            text.parse::<Uri>().map_err(|_| final_error(format!("{text:?} is no address")))
        };
        let endpoint = parse(&self.options.endpoint)?;
        let mut address = parse(url)?;
        for _ in 0..=MOST_REDIRECTS {
            let trusted = same_origin(&address, &endpoint);
            let answer = self.hop(method, &address, start, trusted)?;
            let linked = method == Method::Head && answer.headers().contains_key("x-linked-etag");
            if !answer.status().is_redirection() || linked {
                return self.accept(answer, url, trusted);
            }
            let location = http::header(&answer, "location").unwrap_or_default();
            let next = join(&address, location)
                .ok_or_else(|| final_error(format!("redirected to {location:?}, no address")))?;
            if address.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(final_error("redirected from https to an open connection".to_owned()));
            }
            address = next;
        }
        Err(final_error(format!("more than {MOST_REDIRECTS} redirects")))
    }

    /// One request to one host.
    fn hop(
        &self,
        method: Method,
        address: &Uri,
        start: Option<u64>,
        trusted: bool,
    ) -> Try<Response<Body>> {
        let mut request = match method {
            Method::Head => self.agent.head(address),
            Method::Get => self.agent.get(address),
        };
        if let (true, Some(token)) = (trusted, &self.options.token) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(start) = start {
            request = request.header(RANGE, format!("bytes={start}-"));
        }
        request.call().map_err(|error| Failure::passing(describe(&error)))
    }

    /// Turns the status of the last answer into success or a failure.
    fn accept(&self, answer: Response<Body>, url: &str, trusted: bool) -> Try<Response<Body>> {
        let status = answer.status();
        let passing = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            || (!trusted && status == StatusCode::FORBIDDEN); // a signed address that ran out
        if passing {
            let seconds = http::header(&answer, "retry-after").and_then(|text| text.parse().ok());
            let wait = seconds.map(Duration::from_secs);
            let problem = format!("the server answers {status}");
            return Err(Failure::Passing { problem, progressed: false, wait });
        }
        if status.is_success()
            || status.is_redirection()
            || status == StatusCode::RANGE_NOT_SATISFIABLE
        {
            return Ok(answer);
        }
        let code = http::header(&answer, "x-error-code").unwrap_or_default();
        Err(Failure::Final(refusal::refused(self.id, self.options, url, status, code)))
    }
}

fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        (
            uri.scheme_str().map(str::to_lowercase),
            uri.authority().map(|a| a.as_str().to_lowercase()),
        )
    };
    origin(one) == origin(other)
}

/// The address a redirect leads to (RFC 3986, section 5).
fn join(base: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let lower = location.to_lowercase();
    let text = if lower.starts_with("http://") || lower.starts_with("https://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.is_empty() || location.contains("://") {
        return None;
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    text.parse().ok()
}

/// Percent-encodes all but unreserved characters and those of `keep`.
fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-_.~".contains(character) || keep.contains(character) {
            encoded.push(character);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_names_for_an_address() {
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encode("a b/ü?#.json", "/"), "a%20b/%C3%BC%3F%23.json");
    }

    #[test]
    fn joins_redirects() {
        let base: Uri = "https://hub.example/a/b?c".parse().unwrap();
        let joined = |location: &str| join(&base, location).map(|uri| uri.to_string());
        assert_eq!(joined("/x?y").as_deref(), Some("https://hub.example/x?y"));
        assert_eq!(joined("x").as_deref(), Some("https://hub.example/a/x"));
        assert_eq!(joined("//cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(joined("HTTPS://cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(joined(""), None);
        assert_eq!(joined("ftp://cdn.example/x"), None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same =
            |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://Hub.example/a", "https://hub.example/b?c"));
        for other in [
            "http://hub.example/a",
            "https://hub.example:444/a",
            "https://hub.example.evil/a",
            "https://hub.example@evil.example/a",
            "https://evil.example/hub.example",
        ] {
            assert!(!same("https://hub.example/a", other), "{other}");
        }
    }
}
