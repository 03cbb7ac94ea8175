//! Memory of matrices that are no longer needed, for those that come.
//!
//! Large allocations are given back to the system when they are freed, and fresh ones cost a page
//! fault for every 4 KiB. A forward pass makes the same few sizes over and over.

use std::sync::{Mutex, MutexGuard};

/// Most buffers kept; the oldest goes.
const BUFFERS: usize = 6;
/// Values of the smallest buffer worth keeping.
const WORTH: usize = 1 << 15;

static POOL: Mutex<Pool> = Mutex::new(Pool { buffers: Vec::new() });

/// Buffers, the oldest first.
pub(crate) struct Pool {
    buffers: Vec<Vec<f32>>,
}

impl Pool {
    /// The pool of this process.
    pub(crate) fn shared() -> MutexGuard<'static, Self> {
        POOL.lock().expect("no thread panics with the lock")
    }

    /// Keeps a buffer for [`Pool::take`].
    pub(crate) fn give(&mut self, buffer: Vec<f32>) {
        if buffer.capacity() >= WORTH {
            self.buffers.push(buffer);
        }
        if self.buffers.len() > BUFFERS {
            self.buffers.remove(0);
        }
    }

    /// A buffer with room for `length` values and no more than twice as many: the smallest kept,
    /// or a new one. What it holds is left over from before.
    pub(crate) fn take(&mut self, length: usize) -> Vec<f32> {
        let room = |at: &usize| self.buffers[*at].capacity();
        let fitting =
            (0..self.buffers.len()).filter(|at| (length..=2 * length).contains(&room(at)));
        match fitting.min_by_key(room) {
            Some(at) => self.buffers.remove(at),
            None => Vec::with_capacity(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_buffer_that_fits_comes_back() {
        let mut pool = Pool { buffers: Vec::new() };
        let sizes = [4 * WORTH, 2 * WORTH, 3 * WORTH];
        sizes.iter().for_each(|&size| pool.give(vec![1.5; size]));
        assert_eq!(pool.take(2 * WORTH - 5), vec![1.5; 2 * WORTH]);
        assert!(pool.take(4 * WORTH + 1).is_empty(), "none has the room");
        assert!(pool.take(WORTH).is_empty(), "all have too much");
        assert_eq!(pool.take(2 * WORTH).capacity(), 3 * WORTH);
        assert_eq!(pool.take(2 * WORTH).capacity(), 4 * WORTH);
    }

    #[test]
    fn small_buffers_and_the_oldest_are_let_go() {
        let mut pool = Pool { buffers: Vec::new() };
        pool.give(Vec::with_capacity(WORTH - 1));
        assert!(pool.buffers.is_empty());
        (0..=BUFFERS).for_each(|more| pool.give(Vec::with_capacity(WORTH + more)));
        assert_eq!((pool.buffers.len(), pool.buffers[0].capacity()), (BUFFERS, WORTH + 1));
    }
}
