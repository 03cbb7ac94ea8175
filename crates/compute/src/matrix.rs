//! Dense row-major `f32` matrices.

use std::ops::Range;

use rayon::prelude::*;

use crate::kernels::for_each_level;
use crate::pool::Pool;
use crate::precision::{PIECE, round_bf16};
use crate::{KernelLevel, Precision};

/// A dense row-major matrix of `f32`, `[rows, cols]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// A matrix of zeros, `[rows, cols]`.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// Wraps row-major data.
    ///
    /// # Panics
    /// When `data.len() != rows * cols`.
    pub fn from_vec(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows}x{cols} matrix has {} values", rows * cols);
        Self { rows, cols, data }
    }

    /// Makes this `[rows, cols]` in the memory it has, or where that is too small in the memory of
    /// a [recycled](Matrix::recycle) matrix; the values are whatever was there.
    pub fn reshape(&mut self, rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        if self.data.capacity() < rows * cols {
            let mut pool = Pool::shared();
            pool.give(std::mem::take(&mut self.data));
            self.data = pool.take(rows * cols);
        }
        self.data.resize(rows * cols, 0.0);
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
        &self.data[index * self.cols..(index + 1) * self.cols]
    }

    /// Row `index`, `[cols]`, mutable.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.cols..(index + 1) * self.cols]
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, row after row, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The values, row after row.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// The whole matrix as a view.
    pub fn view(&self) -> MatrixRef<'_> {
        MatrixRef { rows: self.rows, cols: self.cols, data: &self.data }
    }

    /// The rows of `range` as a view.
    pub fn view_rows(&self, range: Range<usize>) -> MatrixRef<'_> {
        let data = &self.data[range.start * self.cols..range.end * self.cols];
        MatrixRef { rows: range.len(), cols: self.cols, data }
    }

    /// Adds `other` element by element; the sums are rounded as the precision says.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn add_assign(&mut self, other: &Matrix, precision: Precision) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        let level = KernelLevel::active();
        let pieces = self.data.par_chunks_mut(PIECE).zip(other.data.par_chunks(PIECE));
        pieces.for_each(|(left, right)| add(level, (left, right), precision));
    }
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
