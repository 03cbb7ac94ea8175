//! One request for one text.

use std::time::Duration;

use lm::generation::Sampling;
use lm::http::{self, Failure, Try, describe, header};
use serde::Serialize;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ureq::{Agent, Body, http::Response, http::StatusCode};

use super::answer::{self, Completion, Unusable, excerpt};
use super::{ServerOptions, ServerSettings, date};

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(30);

/// Bytes of an answer beside its text, and of every token that was asked for, at most.
const ANSWER_BYTES: u64 = 1 << 20;
const TOKEN_BYTES: u64 = 1 << 10;

/// Bytes that are read of an answer that refuses.
const REFUSAL_BYTES: u64 = 1 << 16;

/// A text to be written.
pub(super) struct Ask {
    /// Its number.
    pub(super) stream: u64,
    /// What it begins with.
    pub(super) prompt: String,
    /// Tokens that are written at most.
    pub(super) tokens: usize,
    /// How they are drawn.
    pub(super) sampling: Sampling,
    /// Seed of the server's random numbers.
    pub(super) seed: u64,
}

/// The body of a request. Every server takes the fields of the interface; of the others it takes
/// those that it knows and leaves the rest.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    prompt: &'a str,
    max_tokens: usize,
    temperature: f32,
    top_p: f32,
    seed: u64,
    n: usize,
    stream: bool,
    /// All of them are the vocabulary: 0 and −1 are refused by one server or another.
    top_k: usize,
    /// vLLM, SGLang and TGI call it so.
    repetition_penalty: f32,
    /// llama.cpp calls it so, and looks 64 tokens back unless told otherwise.
    repeat_penalty: f32,
    repeat_last_n: i32,
    /// llama.cpp leaves the least probable tokens out unless told otherwise.
    min_p: f32,
}

/// Asks one server for texts.
pub(super) struct Client {
    agent: Agent,
    url: String,
    model: String,
    key: Option<String>,
    vocabulary: usize,
}

impl Client {
    /// A client of the server of `settings`; `vocabulary` is the number of tokens there are.
    pub(super) fn new(
        settings: &ServerSettings,
        options: &ServerOptions,
        vocabulary: usize,
    ) -> Self {
        let url = settings.completions();
        let config = http::agent(&url)
            .timeout_connect(Some(CONNECTING.min(options.timeout)))
            .timeout_global(Some(options.timeout))
            .max_idle_connections_per_host(options.concurrency);
        let agent = config.build().new_agent();
        let (model, key) = (settings.model.clone(), options.key.clone());
        Self { agent, url, model, key, vocabulary }
    }

    /// The address that is asked.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// One try at a text.
    pub(super) fn write(&self, ask: &Ask) -> Try<Completion> {
        let mut request = self.agent.post(&self.url).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let answer = request.send(&self.body(ask)[..]);
        let mut answer = answer.map_err(|error| Failure::passing(describe(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer));
        }
        let kind = header(&answer, CONTENT_TYPE.as_str()).map(str::to_owned);
        let limit = ANSWER_BYTES + TOKEN_BYTES * ask.tokens as u64;
        let body = match answer.body_mut().with_config().limit(limit).read_to_vec() {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(limit)) => {
                let problem =
                    format!("the answer is longer than {limit} bytes, the most it may be");
                return Err(self.broken(&problem, HINT));
            }
            Err(error) => return Err(Failure::passing(describe(&error))),
        };
        answer::read(kind.as_deref(), &body).map_err(|unusable| match unusable {
            Unusable::Garbled(problem) => {
                Failure::passing(self.without_key(&format!("the answer is garbled: {problem}")))
            }
            Unusable::Foreign(problem) => {
                self.broken(&format!("the answer is none: {problem}"), HINT)
            }
        })
    }

    fn body(&self, ask: &Ask) -> Vec<u8> {
        let Sampling { temperature, top_k, top_p, repetition_penalty } = ask.sampling;
        let request = Request {
            model: &self.model,
            prompt: &ask.prompt,
            max_tokens: ask.tokens,
            temperature,
            top_p,
            seed: ask.seed,
            n: 1,
            stream: false,
            top_k: if top_k == 0 { self.vocabulary } else { top_k },
            repetition_penalty,
            repeat_penalty: repetition_penalty,
            repeat_last_n: -1,
            min_p: 0.0,
        };
        serde_json::to_vec(&request).expect("texts and finite numbers are JSON")
    }

    /// What an answer without a text means.
    fn refused(&self, mut answer: Response<Body>) -> Failure {
        let status = answer.status();
        if status.is_redirection() {
            let to = excerpt(header(&answer, LOCATION.as_str()).unwrap_or_default().as_bytes());
            let hint = "name the address it leads to, if it is to be trusted with the prompts";
            return self.broken(&format!("the server answers {status} and points to {to}"), hint);
        }
        let wait = header(&answer, RETRY_AFTER.as_str())
            .and_then(|wait| date::wait(wait, header(&answer, "date")));
        let body = answer.body_mut().with_config().limit(REFUSAL_BYTES).read_to_vec();
        let said = body.map_or(String::new(), |body| format!(": {}", excerpt(&body)));
        let problem = format!("the server answers {status}{said}");
        let passing = status.is_server_error()
            || matches!(status.as_u16(), 408 | 425)
            || status == StatusCode::TOO_MANY_REQUESTS;
        if passing {
            let problem = self.without_key(&problem);
            return Failure::Passing { problem, progressed: false, wait };
        }
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "put the server's key into the environment variable SECATEUR_SERVER_KEY"
            }
            StatusCode::NOT_FOUND => "check --server and --server-model",
            _ => HINT,
        };
        self.broken(&problem, hint)
    }

    fn broken(&self, problem: &str, hint: &str) -> Failure {
        Failure::Final(lm::Error::Network {
            url: self.url.clone(),
            problem: self.without_key(problem),
            hint: format!("{hint}; {GO_ON}"),
        })
    }

    /// A server may say the key again.
    fn without_key(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| text.replace(key.as_str(), "…"))
    }
}

/// What to do about a server that does not do what one of completions does.
const HINT: &str = "check that --server is an OpenAI-compatible server of completions";

/// How a run goes on.
pub(super) const GO_ON: &str = "run the same command again to go on: texts that were finished are \
                                kept in the cache, and only the rest is asked for";
