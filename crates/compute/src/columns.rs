//! Statistics of columns.

use rayon::prelude::*;

use crate::MatrixRef;

/// Columns one task sums.
const COLUMNS: usize = 128;

/// Adds `Σ x_j²` over the rows of `x` (`[tokens, width]`) to `sums` (`[width]`), row after row.
///
/// # Panics
/// When `sums` does not have one value per column.
pub fn add_squared_column_norms(x: MatrixRef<'_>, sums: &mut [f64]) {
    assert_eq!(sums.len(), x.cols(), "one sum per column");
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, sums)| {
        let start = part * COLUMNS;
        for row in 0..x.rows() {
            for (sum, value) in sums.iter_mut().zip(&x.row(row)[start..]) {
                *sum += f64::from(*value) * f64::from(*value);
            }
        }
    });
}
