//! Damping, raised step by step where a matrix cannot be factorised.

use crate::{Error, Result};

/// Times the damping is raised before giving up.
const RAISES: i32 = 4;

/// What `factorise` gives for the smallest of `damping`, ten times that, a hundred times …, for which
/// it gives anything, and that damping.
///
/// # Errors
/// [`Error::Singular`] when it never does.
pub(super) fn raised<T>(damping: f32, factorise: impl Fn(f32) -> Option<T>) -> Result<(T, f32)> {
    let steps = (0..=RAISES).map(|raise| damping * 10f32.powi(raise));
    let mut found = steps.filter_map(|damping| Some((factorise(damping)?, damping)));
    found.next().ok_or(Error::Singular { damping: damping * 10f32.powi(RAISES) })
}

/// What a report says of damping that had to be raised.
pub(super) fn notes(wanted: f32, used: f32) -> Vec<String> {
    match used > wanted {
        true => vec![format!("damping raised from {wanted} to {used}")],
        false => Vec::new(),
    }
}
