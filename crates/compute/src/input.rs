//! What linears are applied to.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use crate::kernels::{Kernels, Rows, load_bf16, load_row, store_bf16, store_row};
use crate::precision::PIECE;
use crate::{KernelLevel, Matrix, MatrixRef, Precision};

/// The input of linears, `[tokens, in]`, as their kernels read it: what makes an input writes it in
/// this layout, and no product converts it again.
///
/// In [`Precision::Bf16`] values are rounded to bf16; on processors that multiply bf16 numbers two of
/// them share a word, and denormal ones may become zero.
#[derive(Clone, Debug)]
pub struct LinearInput {
    kernels: Kernels,
    cols: usize,
    /// `[tokens, stride]`, whose bits are the words.
    words: Matrix,
}

impl Default for LinearInput {
    /// No tokens.
    fn default() -> Self {
        let kernels = Kernels { level: KernelLevel::Portable, precision: Precision::F32 };
        Self { kernels, cols: 0, words: Matrix::default() }
    }
}

impl LinearInput {
    /// Takes in `x`, `[tokens, in]`.
    pub fn pack(x: MatrixRef<'_>, precision: Precision) -> Self {
        Self::pack_for(Kernels { level: KernelLevel::active(), precision }, x)
    }

    pub(crate) fn pack_for(kernels: Kernels, x: MatrixRef<'_>) -> Self {
        let mut input = Self::new(kernels, x.rows(), x.cols());
        input.for_each_row(|row, words| store_row(kernels, x.row(row), words));
        input
    }

    /// Takes in `x`, `[tokens, in]` row after row, for layers of [`Precision::Bf16`].
    ///
    /// # Panics
    /// When there are not `tokens · in` values.
    pub fn from_bf16(tokens: usize, cols: usize, x: &[bf16]) -> Self {
        assert_eq!(x.len(), tokens * cols, "a {tokens}x{cols} matrix has {} values", tokens * cols);
        let kernels = Kernels { level: KernelLevel::active(), precision: Precision::Bf16 };
        let mut input = Self::new(kernels, tokens, cols);
        input.for_each_row(|row, words| store_bf16(kernels, &x[row * cols..][..cols], words));
        input
    }

    /// `rows` rows of `cols` values, which are whatever was in the memory.
    pub(crate) fn new(kernels: Kernels, rows: usize, cols: usize) -> Self {
        // A line more than needed: rows a power of two apart would share their cache sets.
        let stride = kernels.row_words(cols).next_multiple_of(16) + 16;
        let mut words = Matrix::default();
        words.reshape(rows, stride);
        Self { kernels, cols, words }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.words.rows()
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Writes the values to `x`, which becomes `[tokens, in]`.
    pub fn unpack_into(&self, x: &mut Matrix) {
        x.reshape(self.rows(), self.cols);
        let rows = x.as_mut_slice().par_chunks_mut(self.cols.max(1)).enumerate();
        rows.with_min_len(self.rows_of_a_piece())
            .for_each(|(row, x)| load_row(self.kernels, self.row(row), x));
    }

    /// The values, `[tokens, in]`.
    pub fn to_matrix(&self) -> Matrix {
        let mut x = Matrix::default();
        self.unpack_into(&mut x);
        x
    }

    /// Writes the nearest bf16 numbers of the values to `x`, row after row.
    ///
    /// # Panics
    /// When `x` does not have `tokens · in` values.
    pub fn narrow_into(&self, x: &mut [bf16]) {
        assert_eq!(x.len(), self.rows() * self.cols, "a place for every value");
        let rows = x.par_chunks_mut(self.cols.max(1)).enumerate();
        rows.with_min_len(self.rows_of_a_piece())
            .for_each(|(row, x)| load_bf16(self.kernels, self.row(row), x));
    }

    /// Gives the memory to the next matrix of about this size.
    pub fn recycle(self) {
        self.words.recycle();
    }

    /// The kernels that read it.
    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// The rows `range`.
    pub(crate) fn view(&self, range: Range<usize>) -> Rows<'_> {
        let stride = self.words.cols();
        let words = &bytemuck::cast_slice(self.words.as_slice())[range.start * stride..];
        Rows { words, stride, count: range.len() }
    }

    /// All words, row after row, and those between two rows.
    pub(crate) fn words_mut(&mut self) -> (&mut [u32], usize) {
        let stride = self.words.cols();
        (bytemuck::cast_slice_mut(self.words.as_mut_slice()), stride)
    }

    /// Writes the values of a row from column `first` on, an even number, to `x`.
    pub(crate) fn load(&self, row: usize, first: usize, x: &mut [f32]) {
        debug_assert!(first.is_multiple_of(2), "a word may hold two values");
        load_row(self.kernels, &self.row(row)[self.kernels.row_words(first)..], x);
    }

    /// Rows that one task takes at least.
    pub(crate) fn rows_of_a_piece(&self) -> usize {
        (PIECE / 4 / self.cols.max(1)).max(1)
    }

    /// Writes every row: `write` gets its index and its words.
    fn for_each_row(&mut self, write: impl Fn(usize, &mut [u32]) + Sync) {
        let (count, least) = (self.kernels.row_words(self.cols), self.rows_of_a_piece());
        let (words, stride) = self.words_mut();
        let rows = words.par_chunks_mut(stride).enumerate().with_min_len(least);
        rows.for_each(|(row, words)| write(row, &mut words[..count]));
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.view(row..row + 1).words[..self.kernels.row_words(self.cols)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precision::bf16_pair;
    use crate::testing::{bits, in_pool, random};

    #[test]
    fn the_values_come_back_rounded_as_the_precision_says_at_every_level() {
        for (rows, cols) in [(0, 3), (3, 0), (1, 1), (5, 16), (33, 47), (70, 1063)] {
            let x = random(rows, cols, 1);
            for precision in [Precision::F32, Precision::Bf16] {
                let expected: Vec<f32> = x.as_slice().iter().map(|&x| precision.round(x)).collect();
                for level in KernelLevel::available() {
                    let kernels = Kernels { level, precision };
                    let input = in_pool(3, || LinearInput::pack_for(kernels, x.view()));
                    assert_eq!((input.rows(), input.cols()), (rows, cols));
                    assert_eq!(bits(input.to_matrix().as_slice()), bits(&expected), "{level}");
                }
            }
        }
    }

    #[test]
    fn bf16_numbers_are_the_words_that_their_values_make() {
        for cols in [0, 1, 2, 31, 64, 333] {
            let x = random(1, cols, 3);
            let mut narrow = vec![bf16::ZERO; cols];
            crate::narrow(x.as_slice(), &mut narrow);
            let pairs = KernelLevel::ALL.into_iter().filter(|level| level.multiplies_bf16());
            for level in KernelLevel::available().chain(pairs) {
                let kernels = Kernels { level, precision: Precision::Bf16 };
                let mut words = vec![u32::MAX; kernels.row_words(cols)];
                store_bf16(kernels, &narrow, &mut words);
                let value = |index| narrow.get(index).map_or(0.0, |value: &bf16| value.to_f32());
                let expected = |index| match kernels.takes_pairs() {
                    true => bf16_pair(value(2 * index), value(2 * index + 1)),
                    false => value(index).to_bits(),
                };
                assert_eq!(words, (0..words.len()).map(expected).collect::<Vec<_>>(), "{level}");
                let mut again = vec![bf16::ONE; cols];
                load_bf16(kernels, &words, &mut again);
                assert_eq!(again, narrow, "{level}");
            }
        }
    }

    #[test]
    fn bf16_numbers_go_in_and_come_out() {
        let x = random(40, 333, 2);
        let mut narrow = vec![bf16::ZERO; 40 * 333];
        crate::narrow(x.as_slice(), &mut narrow);
        let input = LinearInput::from_bf16(40, 333, &narrow);
        let packed = LinearInput::pack(x.view(), Precision::Bf16);
        assert_eq!(input.to_matrix(), packed.to_matrix());
        let mut again = vec![bf16::ONE; narrow.len()];
        input.narrow_into(&mut again);
        assert_eq!(again, narrow);
    }
}
