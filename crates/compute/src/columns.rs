//! Sums over the tokens of a layer's input.

use rayon::prelude::*;

use crate::kernels::for_each_level;
use crate::{KernelLevel, LinearInput, MatrixRef};

/// Columns a task takes at least: one page of cache lines.
const COLUMNS: usize = 128;
/// Rows of an input that a task unpacks at a time: with its columns they fit the first cache.
const ROWS: usize = 16;

/// Adds `Σ x²` over the rows of `x` (`[tokens, in]`) to `sums` (`[in]`), in `f64`.
///
/// Each column is one sum from the first row to the last that goes on from what `sums` holds, so
/// the result is the same whatever the number of threads, the kernel level, and the calls the rows
/// were split over. NaN and infinities go the way of the arithmetic.
///
/// # Panics
/// When `sums` does not have one value per column.
pub fn add_squared_column_norms(x: MatrixRef<'_>, sums: &mut [f64]) {
    assert_eq!(sums.len(), x.cols(), "one sum per column");
    let level = KernelLevel::active();
    for_columns(sums, |first, sums| add_squares(level, x, first, sums));
}

/// [`add_squared_column_norms`] of an input in the layout of linears.
///
/// # Panics
/// When `sums` does not have one value per column.
pub fn add_squared_input_norms(x: &LinearInput, sums: &mut [f64]) {
    assert_eq!(sums.len(), x.cols(), "one sum per column");
    let level = KernelLevel::active();
    for_columns(sums, |first, sums| {
        let mut values = vec![0.0; ROWS * sums.len()];
        for start in (0..x.rows()).step_by(ROWS) {
            let rows = start..x.rows().min(start + ROWS);
            let values = &mut values[..rows.len() * sums.len()];
            for (row, values) in rows.clone().zip(values.chunks_exact_mut(sums.len())) {
                x.load(row, first, values);
            }
            add_squares(level, MatrixRef::new(rows.len(), sums.len(), values), 0, sums);
        }
    });
}

/// Shares out the columns: `work` gets the first of some, a multiple of 16, and their sums.
fn for_columns(sums: &mut [f64], work: impl Fn(usize, &mut [f64]) + Sync) {
    let share = sums.len().div_ceil(rayon::current_num_threads()).next_multiple_of(16);
    let columns = share.max(COLUMNS);
    let tasks = sums.par_chunks_mut(columns).enumerate();
    tasks.for_each(|(task, sums)| work(task * columns, sums));
}

for_each_level! {
    /// The columns from `first` on.
    fn add_squares(x: MatrixRef<'_>, first: usize, sums: &mut [f64]) = add_squares_body
}

#[inline(always)]
fn add_squares_body<const FUSED: bool>(x: MatrixRef<'_>, first: usize, sums: &mut [f64]) {
    let count = sums.len();
    let part = |row: usize| &x.row(row)[first..first + count];
    let square = |x: f32| f64::from(x) * f64::from(x);
    let mut row = 0;
    while row + 4 <= x.rows() {
        let [a, b, c, d] = [part(row), part(row + 1), part(row + 2), part(row + 3)];
        for (((sum, &a), &b), (&c, &d)) in sums.iter_mut().zip(a).zip(b).zip(c.iter().zip(d)) {
            *sum = *sum + square(a) + square(b) + square(c) + square(d);
        }
        row += 4;
    }
    for row in row..x.rows() {
        sums.iter_mut().zip(part(row)).for_each(|(sum, &x)| *sum += square(x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::testing::{in_pool, random};

    #[test]
    fn the_sum_is_the_plain_one_at_every_level_and_on_any_number_of_threads() {
        for (rows, cols) in [(0, 3), (1, 1), (7, 33), (129, 127), (65, 700)] {
            let x = random(rows, cols, 1);
            let start: Vec<f64> = (0..cols).map(|column| column as f64 / 3.0).collect();
            let mut plain = start.clone();
            for row in 0..rows {
                for (sum, &x) in plain.iter_mut().zip(x.row(row)) {
                    *sum += f64::from(x) * f64::from(x);
                }
            }
            for threads in [1, 2, 5] {
                let mut sums = start.clone();
                in_pool(threads, || add_squared_column_norms(x.view(), &mut sums));
                assert_eq!(sums, plain);
                let input = LinearInput::pack(x.view(), Precision::F32);
                let mut sums = start.clone();
                in_pool(threads, || add_squared_input_norms(&input, &mut sums));
                assert_eq!(sums, plain);
            }
            for level in KernelLevel::available() {
                let mut sums = start.clone();
                add_squares(level, x.view(), 0, &mut sums);
                assert_eq!(sums, plain, "{level}");
            }
            let mut halves = start.clone();
            add_squared_column_norms(x.view_rows(0..rows / 3), &mut halves);
            add_squared_column_norms(x.view_rows(rows / 3..rows), &mut halves);
            assert_eq!(halves, plain);
        }
    }

    #[test]
    fn a_rounded_input_has_the_norms_of_its_values() {
        for (rows, cols) in [(0, 3), (1, 1), (7, 33), (129, 127), (65, 700)] {
            let input = LinearInput::pack(random(rows, cols, 1).view(), Precision::Bf16);
            let [mut found, mut plain] = [vec![0.5; cols], vec![0.5; cols]];
            in_pool(3, || add_squared_input_norms(&input, &mut found));
            add_squared_column_norms(input.to_matrix().view(), &mut plain);
            assert_eq!(found, plain);
        }
    }

    #[test]
    fn nan_stays_in_its_column() {
        let mut x = random(9, 20, 1);
        x.row_mut(4)[13] = f32::NAN;
        let mut sums = vec![0.0; 20];
        add_squared_column_norms(x.view(), &mut sums);
        assert!(sums.iter().enumerate().all(|(column, sum)| sum.is_nan() == (column == 13)));
    }
}
