//! Progress as sparse plain lines, for a log.

use std::{
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lm::Observer;

use super::{format, interrupt};

/// Time between two lines about the same work.
const PAUSE: Duration = Duration::from_secs(20);

/// Outer work at its start, its end, and now and then between.
pub(super) struct Lines {
    stack: Mutex<Vec<Work>>,
    pause: Duration,
    print: fn(&str),
}

struct Work {
    name: String,
    done: u64,
    total: u64,
    since: Instant,
    said: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { stack: Mutex::default(), pause: PAUSE, print: to_stderr }
    }

    fn stack(&self) -> MutexGuard<'_, Vec<Work>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log that went away is no reason to stop.
fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl Work {
    fn new(name: &str, total: u64) -> Self {
        let now = Instant::now();
        Self { name: name.into(), done: 0, total, since: now, said: now }
    }

    /// `prune: 12/30, 3 min 20 s left`.
    fn line(&self) -> String {
        let elapsed = self.since.elapsed();
        if self.total == 0 || self.done == 0 {
            return format!("{}: {}, {}", self.name, self.done, format::duration(elapsed));
        }
        let remaining = self.total.saturating_sub(self.done) as f64 / self.done as f64;
        let left = format::duration(elapsed.mul_f64(remaining));
        format!("{}: {}/{}, {left} left", self.name, self.done, self.total)
    }
}

impl Observer for Lines {
    fn started(&self, work: &str, total: u64) {
        let mut stack = self.stack();
        if stack.is_empty() {
            (self.print)(&format!("{work} ..."));
        }
        stack.push(Work::new(work, total));
    }

    fn advanced(&self, units: u64) {
        let mut stack = self.stack();
        if let Some(work) = stack.last_mut() {
            work.done += units;
        }
        // the outermost work speaks for those inside it
        if let Some(work) = stack.first_mut().filter(|work| work.said.elapsed() >= self.pause) {
            work.said = Instant::now();
            (self.print)(&work.line());
        }
    }

    fn finished(&self) {
        let mut stack = self.stack();
        if let (Some(work), true) = (stack.pop(), stack.is_empty()) {
            let elapsed = format::duration(work.since.elapsed());
            (self.print)(&format!("{}: done in {elapsed}", work.name));
        }
    }

    fn note(&self, note: &str) {
        (self.print)(note);
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn the_outer_work_speaks_for_the_inner() {
        let print = |line: &str| SAID.lock().unwrap().push(line.into());
        let lines = Lines { stack: Mutex::default(), pause: Duration::ZERO, print };
        lines.started("prune", 2);
        lines.started("block", 7);
        lines.advanced(3);
        lines.finished();
        lines.advanced(1);
        lines.note("a note");
        lines.finished();
        let said = SAID.lock().unwrap();
        assert_eq!(said.len(), 5, "{said:?}");
        assert_eq!(said[0], "prune ...");
        assert!(said[1].starts_with("prune: 0, "), "{}", said[1]);
        assert!(said[2].starts_with("prune: 1/2, ") && said[2].ends_with("left"), "{}", said[2]);
        assert_eq!(said[3], "a note");
        assert!(said[4].starts_with("prune: done in "), "{}", said[4]);
    }
}
