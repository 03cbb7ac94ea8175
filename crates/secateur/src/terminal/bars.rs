//! Progress bars, for a terminal.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lm::Observer;

use super::interrupt;

const KNOWN: &str = "{prefix}{msg} {wide_bar} {pos}/{len}, {elapsed} so far, {eta} left";
const UNKNOWN: &str = "{prefix}{msg} {spinner} {pos}, {elapsed} so far";

/// One bar for each work under way, the innermost last.
pub(super) struct Bars {
    screen: MultiProgress,
    stack: Mutex<Vec<ProgressBar>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), stack: Mutex::default() }
    }

    fn stack(&self) -> MutexGuard<'_, Vec<ProgressBar>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants")
}

impl Observer for Bars {
    fn started(&self, work: &str, total: u64) {
        let mut stack = self.stack();
        let bar = match total {
            0 => ProgressBar::no_length().with_style(style(UNKNOWN)),
            total => ProgressBar::new(total).with_style(style(KNOWN)),
        };
        bar.set_prefix("  ".repeat(stack.len()));
        bar.set_message(work.to_owned());
        let bar = self.screen.add(bar);
        bar.enable_steady_tick(Duration::from_secs(1));
        stack.push(bar);
    }

    fn advanced(&self, units: u64) {
        if let Some(bar) = self.stack().last() {
            bar.inc(units);
        }
    }

    fn finished(&self) {
        if let Some(bar) = self.stack().pop() {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn note(&self, note: &str) {
        self.screen.suspend(|| eprintln!("{note}"));
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

impl Drop for Bars {
    /// Work that ended with an error leaves its bars behind.
    fn drop(&mut self) {
        for bar in self.stack().drain(..) {
            bar.finish_and_clear();
        }
    }
}
