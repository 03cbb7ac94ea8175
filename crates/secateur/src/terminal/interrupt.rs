//! Ctrl-C: the first asks the work to stop, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::CANCELLED;

static STOP: AtomicBool = AtomicBool::new(false);

/// Begins to watch for Ctrl-C and for a request to terminate.
pub(crate) fn watch() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(CANCELLED.into());
        }
        eprintln!("\nstopping; press Ctrl-C again to stop at once");
    })?;
    Ok(())
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
