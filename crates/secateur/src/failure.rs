//! Errors as the user sees them, and the exit codes.

use std::{error::Error, fmt};

use crate::terminal::format::bytes;

/// The run failed.
const FAILED: u8 = 1;
/// The input is at fault.
const BAD_INPUT: u8 = 2;
/// The user stopped it.
pub(crate) const CANCELLED: u8 = 130;

/// Something the user gave cannot be used.
#[derive(Debug)]
pub(crate) struct BadInput {
    problem: String,
    hint: Option<String>,
}

impl BadInput {
    /// A problem in one sentence: what was found, what was expected.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: None }
    }

    /// What the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for BadInput {}

/// The user stopped the work.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The command that goes on with it.
    pub(crate) go_on: String,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped; to go on:\n\n  {}\n", self.go_on)
    }
}

impl Error for Stopped {}

/// `0` done, `1` the run failed, `2` bad input, `130` stopped by the user.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if is_cancelled(error) {
        CANCELLED
    } else if error.chain().any(is_bad_input) {
        BAD_INPUT
    } else {
        FAILED
    }
}

/// Whether the work ended because the user asked.
pub(crate) fn is_cancelled(error: &anyhow::Error) -> bool {
    let cancelled = |cause| matches!(model_error(cause), Some(lm::Error::Cancelled));
    error.chain().any(|cause| cancelled(cause) || cause.is::<Stopped>())
}

fn is_bad_input(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<BadInput>()
        || cause.downcast_ref::<lm::Error>().is_some_and(lm::Error::is_bad_input)
        || cause.downcast_ref::<prune::Error>().is_some_and(prune::Error::is_bad_input)
        || cause.downcast_ref::<calib::Error>().is_some_and(calib::Error::is_bad_input)
        || cause.downcast_ref::<eval::Error>().is_some_and(eval::Error::is_bad_input)
        || cause.downcast_ref::<study::Error>().is_some_and(study::Error::is_bad_input)
}

/// The error of a model that `cause` is, or wraps without a word of its own.
fn model_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a lm::Error> {
    if let Some(error) = cause.downcast_ref::<lm::Error>() {
        return Some(error);
    }
    if let Some(study::Error::Model(error)) = cause.downcast_ref() {
        return Some(error);
    }
    match (cause.downcast_ref(), cause.downcast_ref(), cause.downcast_ref()) {
        (Some(prune::Error::Model(error)), _, _)
        | (_, Some(calib::Error::Model(error)), _)
        | (_, _, Some(eval::Error::Model(error))) => Some(error),
        (Some(prune::Error::Calibration(calib::Error::Model(error))), _, _) => Some(error),
        _ => None,
    }
}

/// `error: …`, `caused by: …`, an empty line and `hint: …`.
pub(crate) fn render(error: &anyhow::Error) -> String {
    if is_cancelled(error) {
        let stopped = error.chain().find_map(|cause| cause.downcast_ref::<Stopped>());
        return stopped.map_or("stopped\n".to_owned(), Stopped::to_string);
    }
    let mut messages: Vec<String> = Vec::new();
    for cause in error.chain() {
        let message = message(cause);
        // an error that carries its cause's words needs no second line for them
        if !messages.last().is_some_and(|last| last.contains(&message)) {
            messages.push(message);
        }
    }
    let mut text = format!("error: {}\n", messages.join("\ncaused by: "));
    if let Some(hint) = error.chain().find_map(hint) {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    text
}

/// The message of one cause, without a hint that is shown on its own line.
fn message(cause: &(dyn Error + 'static)) -> String {
    if let Some(lm::Error::Memory { what, needed, allowed, .. }) = model_error(cause) {
        let (needed, allowed) = (bytes(*needed), bytes(*allowed));
        return format!("{what} needs {needed} of memory, {allowed} are allowed");
    }
    let message = cause.to_string();
    match model_hint(cause) {
        Some(hint) => message.strip_suffix(&format!(": {hint}")).unwrap_or(&message).to_owned(),
        None => message,
    }
}

fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    let own = cause.downcast_ref::<BadInput>().and_then(|error| error.hint.clone());
    own.or_else(|| model_hint(cause))
}

/// The way out that an error of the libraries carries.
fn model_hint(cause: &(dyn Error + 'static)) -> Option<String> {
    match model_error(cause)? {
        lm::Error::Unsupported { hint, .. }
        | lm::Error::Memory { hint, .. }
        | lm::Error::Hub { hint, .. }
        | lm::Error::Network { hint, .. } => Some(hint.clone()),
        _ => None,
    }
}
