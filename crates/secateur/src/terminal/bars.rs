//! Progress bars, for a terminal.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
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
        let (length, template) = if total == 0 { (None, UNKNOWN) } else { (Some(total), KNOWN) };
        // hidden until it has a name and a place on the screen
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        bar.set_style(style(template));
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
