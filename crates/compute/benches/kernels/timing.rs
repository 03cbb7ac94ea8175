//! How long a case takes.

use std::time::{Duration, Instant};

/// Which cases run.
pub(crate) struct Bench {
    /// What a case's name must contain.
    pub(crate) part: Option<String>,
}

impl Bench {
    /// Whether the case `name` is wanted; what the machine can do always is.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let part = self.part.as_deref();
        name.starts_with("peak ") || part.is_none_or(|part| name.contains(part))
    }

    /// Runs a case and prints its line; `flops` and `bytes` are what it needs at least.
    pub(crate) fn case(&self, name: &str, flops: f64, bytes: f64, work: impl FnMut()) {
        if !self.wants(name) {
            return;
        }
        let seconds = fastest(work);
        println!(
            "{{\"case\": \"{name}\", \"seconds\": {seconds:.9}, \"flops\": {flops}, \"bytes\": {bytes}}}"
        );
    }
}

/// Seconds per run: the shortest of those that fit in a quarter of a second, or on a single thread
/// the mean of the time spent on the processor.
fn fastest(mut work: impl FnMut()) -> f64 {
    work();
    let (start, spent) = (Instant::now(), processor_time());
    let (mut best, mut runs) = (f64::INFINITY, 0);
    while runs < 3 || start.elapsed() < Duration::from_millis(250) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    match (spent, processor_time()) {
        (Some(before), Some(after)) => (after - before).as_secs_f64() / f64::from(runs),
        _ => best,
    }
}

/// Time this thread has spent on the processor, where it is the only one and the system tells.
fn processor_time() -> Option<Duration> {
    if rayon::current_num_threads() > 1 {
        return None;
    }
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
