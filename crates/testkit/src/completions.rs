//! A server of completions that is never at fault.

#![allow(clippy::unwrap_used)] // a test may panic

use serde_json::{Value, json};

use crate::server::{Answer, Request};

const WORDS: [&str; 12] = [
    "the", "old", "gardener", "rain", "a rose", "sang", "under", "seven", "ponds", "of", "light",
    "and",
];

/// What such a server answers: a text that depends on the prompt and the seed that were asked with, and
/// ends by itself before `max_tokens` bytes, or there.
pub fn complete(request: &Request) -> Answer {
    let asked = asked(request);
    let (seed, most) = (asked["seed"].as_u64().unwrap(), asked["max_tokens"].as_u64().unwrap());
    let own = most / 2 + seed % most.max(1);
    let (mut text, mut state) = (String::new(), seed ^ asked["prompt"].to_string().len() as u64);
    while text.len() as u64 <= own {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = WORDS[(state >> 33) as usize % WORDS.len()];
        text.push_str(&format!(" {word}"));
    }
    text.truncate(own.min(most) as usize);
    let reason = if own < most { "stop" } else { "length" };
    answer(&text, reason)
}

/// An answer with this text.
pub fn answer(text: &str, reason: &str) -> Answer {
    let choice = json!({"index": 0, "text": text, "finish_reason": reason, "logprobs": null});
    let body = json!({"id": "1", "object": "text_completion", "choices": [choice]});
    Answer::new(200, body.to_string()).with("Content-Type", "application/json")
}

/// The fields of a request.
pub fn asked(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}
