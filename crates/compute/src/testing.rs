//! What the unit tests share.

use crate::{Matrix, Stream};

/// Values in [-1, 1).
pub(crate) fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = Stream::new(seed, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 * 2.0 - 1.0;
    Matrix::from_vec(rows, cols, (0..rows * cols).map(value).collect())
}

/// The bits of every value, to compare results exactly.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs `work` on a pool of its own.
pub(crate) fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
