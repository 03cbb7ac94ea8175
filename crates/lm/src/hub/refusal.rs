//! What the hub's refusals mean, and what to do about them.

use ureq::http::StatusCode;

use super::{HubOptions, ModelId};
use crate::Error;

/// A server that could not be reached, or failed too often.
pub(super) fn unreachable(url: &str, problem: String) -> Error {
    Error::Network {
        url: url.to_owned(),
        problem,
        hint: "run it again (what was downloaded is kept), set HF_ENDPOINT to a mirror, or fetch \
               the model elsewhere and pass its folder"
            .to_owned(),
    }
}

/// A server that does not do what a hub does.
pub(super) fn broken(url: &str, problem: impl Into<String>) -> Error {
    Error::Network {
        url: url.to_owned(),
        problem: problem.into(),
        hint: "check HF_ENDPOINT, or fetch the model elsewhere and pass its folder".to_owned(),
    }
}

/// A refusal by status; `code` is the hub's own word for it (`X-Error-Code`), where it has one.
pub(super) fn refused(
    id: &ModelId,
    options: &HubOptions,
    url: &str,
    status: StatusCode,
    code: &str,
) -> Error {
    let (endpoint, name) = (&options.endpoint, id.name());
    let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let (problem, hint) = match (code, &options.token) {
        ("GatedRepo", _) => (
            "its owner gives it only to those who accepted its licence".to_owned(),
            format!("accept the licence at {endpoint}/{name} and set HF_TOKEN to your token"),
        ),
        ("RevisionNotFound", _) => (
            format!("it has no revision {}", id.revision()),
            format!("see the branches and tags at {endpoint}/{name}"),
        ),
        (_, None) if denied => (
            format!("{endpoint} does not give it to everybody ({status})"),
            format!(
                "check the name; if the model is private or gated, accept its licence at \
                 {endpoint}/{name} and set HF_TOKEN to your token"
            ),
        ),
        (_, Some(_)) if denied => (
            format!("{endpoint} does not give it to the owner of the token ({status})"),
            format!(
                "check the name and that HF_TOKEN is valid; if the model is gated, accept its \
                 licence at {endpoint}/{name}"
            ),
        ),
        _ if status == StatusCode::NOT_FOUND => (
            format!("{endpoint} has no such model, or not the revision {}", id.revision()),
            "check the name; a folder or a .gguf file is passed by its path".to_owned(),
        ),
        _ => return broken(url, format!("the server answers {status}")),
    };
    Error::Hub { model: name.to_owned(), problem, hint }
}
