//! Dense row-major `f32` matrices.

use std::ops::Range;

use rayon::prelude::*;

use crate::precision::PIECE;

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

    /// Makes this `[rows, cols]` in the memory it has; the values are whatever was there.
    pub fn reshape(&mut self, rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        self.data.resize(rows * cols, 0.0);
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

    /// Adds `other` element by element.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn add_assign(&mut self, other: &Matrix) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        let pieces = self.data.par_chunks_mut(PIECE).zip(other.data.par_chunks(PIECE));
        pieces.for_each(|(left, right)| {
            for (left, right) in left.iter_mut().zip(right) {
                *left += right;
            }
        });
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
