//! Dense row-major `f32` matrices.

use std::ops::Range;

use rayon::prelude::*;

use crate::kernels::for_each_level;
use crate::pool::{Pool, zeros};
use crate::precision::{PIECE, round_bf16};
use crate::{KernelLevel, Precision};

/// Bytes of a cache line. A vector that lies on two costs two accesses.
const LINE: usize = 64;
/// Columns that are turned together: a line of each row.
const TURNED: usize = LINE / size_of::<f32>();
/// Values to the next line at most.
const SLACK: usize = LINE / size_of::<f32>() - 1;

/// A dense row-major matrix of `f32`, `[rows, cols]`.
#[derive(Debug, Default)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    /// The values from `start` on, where a cache line begins unless the memory came from outside.
    /// More may follow: memory that was used before is neither shortened nor cleared.
    data: Vec<f32>,
    start: usize,
}

impl Matrix {
    /// A matrix of zeros, `[rows, cols]`.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let data = zeros(rows * cols + SLACK);
        let start = to_line(&data);
        Self { rows, cols, data, start }
    }

    /// Wraps row-major data.
    ///
    /// # Panics
    /// When `data.len() != rows * cols`.
    pub fn from_vec(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows}x{cols} matrix has {} values", rows * cols);
        Self { rows, cols, data, start: 0 }
    }

    /// Makes this `[rows, cols]` in the memory it has, or where that is too small in the memory of
    /// a [recycled](Matrix::recycle) matrix; the values are whatever was there.
    pub fn reshape(&mut self, rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        let room = rows * cols + SLACK;
        if self.data.len() < room {
            let mut pool = Pool::shared();
            pool.give(std::mem::take(&mut self.data));
            self.data = pool.take(room);
        }
        self.start = to_line(&self.data);
    }

    /// Where the values are in the memory.
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.rows * self.cols
    }

    /// Gives the memory to the next matrix of about this size.
    pub fn recycle(self) {
        Pool::shared().give(self.data);
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Row `index`, `[cols]`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.as_slice()[index * self.cols..(index + 1) * self.cols]
    }

    /// Row `index`, `[cols]`, mutable.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        let range = index * self.cols..(index + 1) * self.cols;
        &mut self.as_mut_slice()[range]
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data[self.range()]
    }

    /// All values, row after row, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        let range = self.range();
        &mut self.data[range]
    }

    /// The values, row after row.
    pub fn into_vec(mut self) -> Vec<f32> {
        self.data.truncate(self.range().end);
        self.data.drain(..self.start);
        self.data
    }

    /// Rows as columns, `[cols, rows]`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut turned = Self::default();
        turned.reshape(self.cols, self.rows);
        if self.rows == 0 {
            return turned;
        }
        let strips = turned.as_mut_slice().par_chunks_mut(TURNED * self.rows).enumerate();
        strips.for_each(|(strip, columns)| {
            for row in 0..self.rows {
                let values = &self.row(row)[strip * TURNED..];
                let turned = columns[row..].iter_mut().step_by(self.rows);
                turned.zip(values).for_each(|(turned, value)| *turned = *value);
            }
        });
        turned
    }

    /// The whole matrix as a view.
    pub fn view(&self) -> MatrixRef<'_> {
        MatrixRef { rows: self.rows, cols: self.cols, data: self.as_slice() }
    }

    /// The rows of `range` as a view.
    pub fn view_rows(&self, range: Range<usize>) -> MatrixRef<'_> {
        let data = &self.as_slice()[range.start * self.cols..range.end * self.cols];
        MatrixRef { rows: range.len(), cols: self.cols, data }
    }

    /// Adds `other` element by element.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn add_assign(&mut self, other: &Matrix) {
        self.add_rounded(other, Precision::F32);
    }

    /// Adds `other` element by element; the sums are rounded as the precision says.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn add_rounded(&mut self, other: &Matrix, precision: Precision) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        let level = KernelLevel::active();
        let other = other.as_slice().par_chunks(PIECE);
        let pieces = self.as_mut_slice().par_chunks_mut(PIECE).zip(other);
        pieces.for_each(|(left, right)| add(level, (left, right), precision));
    }
}

impl Clone for Matrix {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.reshape(self.rows, self.cols);
        let pieces = copy.as_mut_slice().par_chunks_mut(PIECE);
        pieces
            .zip(self.as_slice().par_chunks(PIECE))
            .for_each(|(to, from)| to.copy_from_slice(from));
        copy
    }
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        (self.rows, self.cols, self.as_slice()) == (other.rows, other.cols, other.as_slice())
    }
}

/// Values to the next cache line.
fn to_line(data: &[f32]) -> usize {
    data.as_ptr().align_offset(LINE)
}

for_each_level! {
    /// Adds the second slice to the first.
    pub(crate) fn add(slices: (&mut [f32], &[f32]), precision: Precision) = add_body
}

#[inline(always)]
fn add_body<const FUSED: bool>((left, right): (&mut [f32], &[f32]), precision: Precision) {
    match precision {
        Precision::F32 => left.iter_mut().zip(right).for_each(|(left, right)| *left += right),
        Precision::Bf16 => {
            left.iter_mut().zip(right).for_each(|(left, right)| *left = round_bf16(*left + right));
        }
    }
}

/// A borrowed row-major matrix, `[rows, cols]`.
#[derive(Clone, Copy, Debug)]
pub struct MatrixRef<'a> {
    rows: usize,
    cols: usize,
    data: &'a [f32],
}

impl<'a> MatrixRef<'a> {
    /// Borrows row-major data.
    ///
    /// # Panics
    /// When `data.len() != rows * cols`.
    pub fn new(rows: usize, cols: usize, data: &'a [f32]) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows}x{cols} matrix has {} values", rows * cols);
        Self { rows, cols, data }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Row `index`, `[cols]`.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.cols..(index + 1) * self.cols]
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &'a [f32] {
        self.data
    }

    /// The rows of `range` as a view.
    pub fn view_rows(&self, range: Range<usize>) -> MatrixRef<'a> {
        let data = &self.data[range.start * self.cols..range.end * self.cols];
        MatrixRef { rows: range.len(), cols: self.cols, data }
    }

    /// An owned copy.
    pub fn to_matrix(&self) -> Matrix {
        Matrix::from_vec(self.rows, self.cols, self.data.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    #[test]
    fn rows_become_columns_and_columns_rows() {
        for (rows, cols) in [(0, 3), (3, 0), (1, 1), (5, 16), (33, 47), (16, 1)] {
            let matrix = random(rows, cols, 1);
            let turned = matrix.transposed();
            assert_eq!((turned.rows(), turned.cols()), (cols, rows));
            for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                assert_eq!(turned.row(j)[i], matrix.row(i)[j]);
            }
            assert_eq!(turned.transposed(), matrix);
        }
    }

    #[test]
    fn memory_that_was_used_before_shows_only_the_new_shape() {
        let mut matrix = random(40, 30, 1);
        matrix.reshape(3, 5);
        assert_eq!((matrix.as_slice().len(), matrix.view().as_slice().len()), (15, 15));
        matrix.as_mut_slice().fill(2.0);
        assert_eq!(matrix.clone().into_vec(), [2.0; 15]);
        assert_eq!(matrix, Matrix::from_vec(3, 5, vec![2.0; 15]));
    }
}
