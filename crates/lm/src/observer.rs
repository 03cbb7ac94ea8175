//! How long work reports its progress and learns that it should stop.

use crate::{Error, Result};

/// Watches long work. Libraries report through it and never see a terminal or a clock.
///
/// Every method has a default that does nothing, so an implementation takes only what it needs.
/// Work nests: `started` and `finished` come in matching pairs.
pub trait Observer: Sync {
    /// `work` begins and has `total` units (`0` when unknown).
    fn started(&self, work: &str, total: u64) {
        let _ = (work, total);
    }
    /// `units` more of the innermost work are done.
    fn advanced(&self, units: u64) {
        let _ = units;
    }
    /// The innermost work is done.
    fn finished(&self) {}
    /// Something the user should know, once: a fallback, a drop, a cost about to be paid.
    fn note(&self, note: &str) {
        let _ = note;
    }
    /// Whether the user asked to stop; long work asks often and ends with [`Error::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
    /// [`Error::Cancelled`] once the user asked to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn check(&self) -> Result<()> {
        if self.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// An observer that watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
