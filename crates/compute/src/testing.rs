//! What the unit tests share.

use crate::{Matrix, Stream, add_gram, mirror_lower};

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

/// XᵀX of `tokens` random rows of `n` values; the lower triangle.
pub(crate) fn random_gram(tokens: usize, n: usize) -> Matrix {
    let mut gram = Matrix::zeros(n, n);
    add_gram(random(tokens, n, 3).view(), &mut gram);
    gram
}

/// Fails unless `inverse` is that of the symmetric matrix `h + shift · I`, of which `h` holds the lower
/// triangle.
pub(crate) fn assert_inverse(mut h: Matrix, shift: f32, inverse: &Matrix) {
    mirror_lower(&mut h);
    let n = h.rows();
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let value = |k: usize| {
            let extra = if i == k { shift } else { 0.0 };
            f64::from(h.row(i)[k] + extra) * f64::from(inverse.row(k)[j])
        };
        let found = (0..n).map(value).sum::<f64>();
        assert!((found - f64::from(u8::from(i == j))).abs() < 2e-3, "{n}: {i} {j}");
    }
}
