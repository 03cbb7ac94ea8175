//! What the user sees: progress and notes on stderr, tables on stdout.

mod bars;
mod lines;

pub(crate) mod format;
pub(crate) mod interrupt;
pub(crate) mod table;

use std::io::IsTerminal;

use bars::Bars;
use lines::Lines;
use lm::Observer;

/// The observer of a command: progress on stderr, as suits it; none where the user wants quiet.
pub(crate) fn observer(quiet: bool) -> Box<dyn Observer> {
    if quiet {
        Box::new(Quiet)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bars::new())
    } else {
        Box::new(Lines::new())
    }
}

/// Says nothing; stops when asked.
struct Quiet;

impl Observer for Quiet {
    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}
