//! Log-probabilities under the softmax of a linear's outputs.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::kernels::apply_in_strips;
use crate::log_sum::{STRIP, StripSum, log_sum_of_strips};
use crate::{Linear, LinearInput};

/// How an output stands among all of its row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogProbability {
    /// The output less `ln Σ exp` of the row, in nats.
    pub value: f64,
    /// Whether no output of the row is larger.
    pub is_largest: bool,
}

/// `log softmax(x · Wᵀ + b)` at every `(row, output)` of `wanted`, which is sorted by rows.
///
/// The outputs (`[tokens, out]`) are never whole: some at a time are made, summed up and forgotten. The
/// figures are those of [`log_sum_exp`](crate::log_sum_exp) on the outputs of [`Linear::apply`], bit by
/// bit.
///
/// # Panics
/// When `x` does not have `in` columns or is of another precision, or `wanted` is not sorted by rows or
/// names a row or an output that is not there.
pub fn log_softmax(
    linear: &Linear,
    x: &LinearInput,
    wanted: &[(usize, usize)],
) -> Vec<LogProbability> {
    assert!(wanted.is_sorted_by_key(|(row, _)| *row), "sorted by rows");
    assert!(wanted.iter().all(|&(row, output)| row < x.rows() && output < linear.outputs()));
    let count = linear.outputs().div_ceil(STRIP);
    let none = StripSum { largest: f32::NEG_INFINITY, sum: 0.0 };
    let strips = Mutex::new(vec![none; x.rows() * count]);
    let outputs = Mutex::new(vec![0.0; wanted.len()]);
    let level = x.kernels().level;
    apply_in_strips(x, linear.checked_weights(x), STRIP, |first, column, values, width| {
        let rows = first..first + values.len() / width;
        let columns = column..(column + width).min(linear.outputs());
        let row = |row: usize| &values[(row - first) * width..][..columns.len()];
        let sums: Vec<_> = rows.clone().map(|at| StripSum::of(level, row(at))).collect();
        let mut strips = strips.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, sum) in rows.clone().zip(sums) {
            strips[at * count + column / STRIP] = sum;
        }
        drop(strips);
        let begin = wanted.partition_point(|(row, _)| *row < rows.start);
        let end = wanted.partition_point(|(row, _)| *row < rows.end);
        let mut outputs = outputs.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, &(at, output)) in wanted.iter().enumerate().take(end).skip(begin) {
            if columns.contains(&output) {
                outputs[index] = row(at)[output - column];
            }
        }
    });
    let strips = strips.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outputs = outputs.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<_> = strips.par_chunks(count.max(1)).map(log_sum_of_strips).collect();
    let of = |(&(row, _), output): (&(usize, usize), f32)| {
        let (log_sum, largest) = rows[row];
        LogProbability { value: f64::from(output) - log_sum, is_largest: output == largest }
    };
    wanted.iter().zip(outputs).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{in_pool, random};
    use crate::{Matrix, Precision, log_sum_exp};

    /// From whole rows of outputs.
    fn twin(outputs: &Matrix, wanted: &[(usize, usize)]) -> Vec<LogProbability> {
        let of = |&(row, output): &(usize, usize)| {
            let outputs = outputs.row(row);
            let value = f64::from(outputs[output]) - log_sum_exp(outputs);
            let is_largest = outputs.iter().all(|&other| other <= outputs[output]);
            LogProbability { value, is_largest }
        };
        wanted.iter().map(of).collect()
    }

    #[test]
    fn figures_are_those_of_whole_rows_on_any_number_of_threads() {
        for (rows, inputs, outputs) in [(0, 3, 5), (1, 33, 1), (13, 64, 513), (230, 57, 1700)] {
            let x = random(rows, inputs, 1);
            let bias = random(1, outputs, 2).into_vec();
            for precision in [Precision::F32, Precision::Bf16] {
                let weights = random(outputs, inputs, 3);
                let linear = Linear::new(weights, Some(bias.clone()), precision);
                let whole = linear.apply(x.view());
                let largest = |row: usize| {
                    let row = whole.row(row);
                    (0..outputs).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
                };
                // the first rows twice, the last not at all
                let wanted: Vec<_> = (0..rows.saturating_sub(1))
                    .flat_map(|row| [(row, largest(row)), (row, row * 7 % outputs)])
                    .collect();
                let expected = twin(&whole, &wanted);
                for threads in [1, 2, 5] {
                    let input = LinearInput::pack(x.view(), precision);
                    let found = in_pool(threads, || log_softmax(&linear, &input, &wanted));
                    assert_eq!(found, expected);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "sorted by rows")]
    fn rows_out_of_order_are_refused() {
        let linear = Linear::new(random(4, 3, 1), None, Precision::F32);
        let input = LinearInput::pack(random(2, 3, 2).view(), Precision::F32);
        log_softmax(&linear, &input, &[(1, 0), (0, 0)]);
    }
}
