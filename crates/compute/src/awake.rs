//! Threads that stay awake from one parallel operation to the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::Yield;

/// Pauses of the processor between two looks for work.
const PAUSES: u32 = 16;
/// Looks in vain, some milliseconds of them, after which a thread rests between two.
const PATIENCE: u32 = 1 << 13;
/// How long it rests.
const REST: Duration = Duration::from_micros(100);

/// Runs `work` while the other threads of the current pool stay awake.
///
/// The operations of a forward pass follow each other within microseconds, and a small one is over before a
/// thread that fell asleep has woken up. While `work` has nothing for them the threads keep looking, so it
/// should be work that keeps the processor busy. It gains most on a thread of the pool: one from outside
/// sleeps itself while the pool works for it.
pub fn awake<T>(work: impl FnOnce() -> T) -> T {
    if rayon::current_num_threads() == 1 {
        return work();
    }
    let (over, own) = (AtomicBool::new(false), rayon::current_thread_index());
    let stay = |index| {
        if Some(index) != own {
            look_for_work(&over);
        }
    };
    rayon::in_place_scope(|scope| {
        let _end = End(&over);
        scope.spawn_broadcast(|_, thread| stay(thread.index()));
        work()
    })
}

/// Takes part in what the pool has to do until it is `over`.
fn look_for_work(over: &AtomicBool) {
    let mut in_vain = 0;
    while !over.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(Yield::Executed) {
            in_vain = 0;
            continue;
        }
        in_vain += 1;
        if in_vain > PATIENCE {
            std::thread::sleep(REST);
        } else {
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
        }
    }
}

/// Says so when the work is over, by whatever way it ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rayon::prelude::*;

    use super::*;
    use crate::testing::in_pool;

    #[test]
    fn work_is_done_inside_and_outside_of_a_pool() {
        let sum = || awake(|| awake(|| (0..10_000u64).into_par_iter().sum::<u64>()));
        assert_eq!(sum(), 49_995_000);
        for threads in 1..4 {
            assert_eq!(in_pool(threads, sum), 49_995_000);
        }
    }

    #[test]
    fn threads_that_rest_are_found_again() {
        let late = || {
            std::thread::sleep(Duration::from_millis(60));
            (0..1000).into_par_iter().map(|_| rayon::current_thread_index()).max()
        };
        assert!(in_pool(2, || awake(late)).is_some());
    }

    #[test]
    fn a_panic_lets_the_threads_go() {
        in_pool(3, || {
            let broken = catch_unwind(AssertUnwindSafe(|| awake(|| panic!("broken"))));
            assert!(broken.is_err());
            assert_eq!(awake(|| (0..100).into_par_iter().count()), 100);
        });
    }
}
