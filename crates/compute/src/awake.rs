//! Threads that stay awake from one parallel operation to the next.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::Yield;

/// Pauses of the processor between two looks for work.
const PAUSES: u32 = 16;
/// Looks in vain, some milliseconds of them, after which a thread gives up.
const PATIENCE: u32 = 1 << 13;

/// Runs `work` while the other threads of the current pool stay awake.
///
/// The operations of a forward pass follow each other within microseconds, and a small one is over before a
/// thread that fell asleep has woken up. The threads keep looking while `work` has nothing for them, for some
/// milliseconds at most: longer than any pause between operations, and short enough for what a thread may
/// have been in the middle of when it was asked. So `work` should be no more than one pass, or a part of it.
/// It gains most on a thread of the pool: one from outside sleeps itself while the pool works for it.
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

/// Takes part in what the pool has to do until it is `over`, or there has been nothing for long.
///
/// A thread that waits for a part of its work is asked on top of that work, which cannot end before this does:
/// somebody who waits for it would wait for ever if this had no end of its own.
fn look_for_work(over: &AtomicBool) {
    let mut in_vain = 0;
    while in_vain < PATIENCE && !over.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(Yield::Executed) {
            in_vain = 0;
        } else {
            in_vain += 1;
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
    use std::time::Duration;

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
    fn threads_that_gave_up_are_found_again() {
        let late = || {
            std::thread::sleep(Duration::from_millis(60));
            (0..1000).into_par_iter().map(|_| rayon::current_thread_index()).max()
        };
        assert!(in_pool(2, || awake(late)).is_some());
    }

    /// The second thread is in the middle of what the first waits for when it is asked to stay awake.
    #[test]
    fn what_a_thread_was_doing_is_finished_by_it() {
        let pause = |time| std::thread::sleep(Duration::from_millis(time));
        let wait = |flag: &AtomicBool| {
            while !flag.load(Ordering::Acquire) {
                pause(1);
            }
        };
        let [started, begun, finished] = [const { AtomicBool::new(false) }; 3];
        let first = || {
            wait(&started);
            awake(|| {
                begun.store(true, Ordering::Release);
                while !finished.load(Ordering::Acquire) {
                    rayon::yield_now();
                }
            });
        };
        let second = || {
            started.store(true, Ordering::Release);
            wait(&begun);
            // the first thread takes the longer half, and this one has nothing to do but look
            rayon::join(|| pause(5), || pause(30));
            finished.store(true, Ordering::Release);
        };
        in_pool(2, || rayon::join(first, second));
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
