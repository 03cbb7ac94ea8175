//! What a server may answer: it is taken for hostile.

use serde::Deserialize;

/// Bytes of an answer that an error shows.
const SHOWN: usize = 200;

/// A text that a server wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Completion {
    /// What follows the prompt.
    pub(super) text: String,
    /// Whether it ended by itself, not at the length.
    pub(super) ended: bool,
}

/// Why an answer is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It was cut off or garbled, or the server broke off: it may be better the next time.
    Garbled(String),
    /// It is that of something else than a server of completions.
    Foreign(String),
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    text: String,
    finish_reason: Option<String>,
}

/// Reads the body of an answer of the content type `kind`.
pub(super) fn read(kind: Option<&str>, body: &[u8]) -> Result<Completion, Unusable> {
    let json = kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    if !json {
        let kind = kind.map_or("nothing".into(), |kind| excerpt(kind.as_bytes()));
        let problem =
            format!("application/json expected, {kind} found; it begins {}", excerpt(body));
        return Err(Unusable::Foreign(problem));
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let problem = format!("{error}; it begins {}", excerpt(body));
        match error.is_data() {
            true => Unusable::Foreign(format!("no completion: {problem}")),
            false => Unusable::Garbled(format!("no JSON: {problem}")),
        }
    })?;
    let found = answer.choices.len();
    let Ok([choice]) = <[Choice; 1]>::try_from(answer.choices) else {
        let problem = format!("one choice expected, {found} found; it begins {}", excerpt(body));
        return Err(Unusable::Foreign(problem));
    };
    let ended = match choice.finish_reason.as_deref() {
        Some("stop" | "eos_token" | "stop_sequence") => true,
        Some("length") => false,
        other => {
            let other = other.map_or("nothing".into(), |other| excerpt(other.as_bytes()));
            let problem = format!("a finish_reason of stop or length expected, {other} found");
            return Err(Unusable::Garbled(problem));
        }
    };
    Ok(Completion { text: choice.text, ended })
}

/// The first bytes, readable whatever they are.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    fn answer(reason: &str) -> String {
        format!(r#"{{"id":1,"choices":[{{"text":" é","finish_reason":{reason},"index":0}}]}}"#)
    }

    #[test]
    fn completions_are_read_with_how_they_ended() {
        for (reason, ended) in [("\"stop\"", true), ("\"eos_token\"", true), ("\"length\"", false)]
        {
            let text = " é".to_owned();
            assert_eq!(read(JSON, answer(reason).as_bytes()), Ok(Completion { text, ended }));
        }
    }

    #[test]
    fn what_may_be_better_the_next_time_is_told_from_what_will_not() {
        let whole = answer("\"stop\"");
        let garbled = |body: &[u8]| match read(JSON, body) {
            Err(Unusable::Garbled(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert!(garbled(&whole.as_bytes()[..40]).contains("it begins \"{\\\"id\\\":1"));
        assert!(garbled(b"{\"choices\":[{\"text\":\"\xff\xfe\"}]}").contains("no JSON"));
        assert!(garbled(b"").contains("no JSON"));
        assert!(garbled(answer("null").as_bytes()).contains("nothing found"));
        assert!(garbled(answer("\"abort\"").as_bytes()).contains("\"abort\" found"));
        let foreign = |kind, body: &str| match read(kind, body.as_bytes()) {
            Err(Unusable::Foreign(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert!(foreign(Some("text/html"), "<h1>\u{1}").contains("\"text/html\" found; it begins"));
        assert!(foreign(None, &whole).contains("nothing found"));
        assert!(foreign(JSON, "{}").contains("missing field `choices`"));
        assert!(foreign(JSON, "{\"choices\":[{\"text\":7}]}").contains("expected a string"));
        assert!(foreign(JSON, "{\"choices\":[]}").contains("one choice expected, 0 found"));
        let long = foreign(JSON, &format!("{{\"error\":\"{}\"}}", "x".repeat(9999)));
        assert!(long.len() < 400, "{long}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(JSON, &bytes);
            prop_assert!(!excerpt(&bytes).contains(char::is_control));
        }
    }
}
