//! Memory of matrices that are no longer needed, for those that come.
//!
//! Large allocations are given back to the system when they are freed, and fresh ones cost a page
//! fault for every 4 KiB. A forward pass makes the same few sizes over and over.

use std::sync::{Mutex, MutexGuard};

use crate::pages::prefer_large;

/// Most buffers kept; the oldest goes.
const BUFFERS: usize = 8;
/// How much larger than asked for a buffer may be: batches come in all sizes, and one that is small
/// should not drive out the buffers of the large ones.
const ROOMY: usize = 8;
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
        if buffer.len() >= WORTH {
            self.buffers.push(buffer);
        }
        if self.buffers.len() > BUFFERS {
            self.buffers.remove(0);
        }
    }

    /// A buffer of at least `length` values and no more than [`ROOMY`] times as many: the smallest
    /// kept, or a new one, an eighth larger at most so that matrices of about this size can have it
    /// next. What it holds is left over from before.
    pub(crate) fn take(&mut self, length: usize) -> Vec<f32> {
        let size = |at: &usize| self.buffers[*at].len();
        let fitting =
            (0..self.buffers.len()).filter(|at| (length..=ROOMY * length).contains(&size(at)));
        match fitting.min_by_key(size) {
            Some(at) => self.buffers.remove(at),
            None => zeros(rounded(length)),
        }
    }
}

/// Fresh memory, in large pages where it is long.
pub(crate) fn zeros(length: usize) -> Vec<f32> {
    let mut values = vec![0.0; length];
    prefer_large(&mut values);
    values
}

/// A length up to a step of an eighth to a sixteenth of it, where buffers of it are kept.
fn rounded(length: usize) -> usize {
    if length < WORTH { length } else { length.next_multiple_of(1 << (length.ilog2() - 3)) }
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
        assert_eq!(pool.take(4 * WORTH + 1)[0], 0.0, "none has the room");
        assert_eq!(pool.take(WORTH / 5), vec![0.0; WORTH / 5], "all have too much");
        assert_eq!(pool.take(2 * WORTH).len(), 3 * WORTH);
        assert_eq!(pool.take(2 * WORTH).len(), 4 * WORTH);
    }

    #[test]
    fn small_buffers_and_the_oldest_are_let_go() {
        let mut pool = Pool { buffers: Vec::new() };
        pool.give(vec![0.0; WORTH - 1]);
        assert!(pool.buffers.is_empty());
        (0..=BUFFERS).for_each(|more| pool.give(vec![0.0; WORTH + more]));
        assert_eq!((pool.buffers.len(), pool.buffers[0].len()), (BUFFERS, WORTH + 1));
    }

    #[test]
    fn new_buffers_have_room_for_slightly_larger_matrices() {
        for length in [1, WORTH - 1, WORTH, WORTH + 1, 1_179_663, 3 << 22] {
            let rounded = rounded(length);
            assert!((length..=length + length / 8).contains(&rounded), "{length} {rounded}");
        }
        assert_eq!(rounded(1_179_663), rounded(1_200_000));
    }
}
