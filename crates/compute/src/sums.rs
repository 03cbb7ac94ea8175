//! Plain sums over the tokens of a layer's input.

use rayon::prelude::*;

use crate::MatrixRef;

/// Columns that one task takes.
const COLUMNS: usize = 128;

/// Adds the sum of every column of `x` (`[tokens, in]`) to `sums` (`[in]`), in `f64`.
///
/// Each column is one sum from the first row to the last that goes on from what `sums` holds.
///
/// # Panics
/// When `sums` does not have one value per column.
pub fn add_column_sums(x: MatrixRef<'_>, sums: &mut [f64]) {
    assert_eq!(sums.len(), x.cols(), "one sum per column");
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(task, sums)| {
        let first = task * COLUMNS;
        for row in 0..x.rows() {
            let part = &x.row(row)[first..first + sums.len()];
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += f64::from(*x));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{in_pool, random};

    #[test]
    fn the_sum_is_the_plain_one_on_any_number_of_threads() {
        for (rows, cols) in [(0, 3), (1, 1), (7, 33), (65, 300)] {
            let x = random(rows, cols, 1);
            let start: Vec<f64> = (0..cols).map(|column| column as f64 / 3.0).collect();
            let plain: Vec<f64> = (0..cols)
                .map(|col| (0..rows).fold(start[col], |sum, row| sum + f64::from(x.row(row)[col])))
                .collect();
            for threads in [1, 3] {
                let mut sums = start.clone();
                in_pool(threads, || add_column_sums(x.view(), &mut sums));
                assert_eq!(sums, plain);
            }
        }
    }
}
