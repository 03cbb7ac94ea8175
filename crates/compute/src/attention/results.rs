//! Where the results of an attention go.

use crate::LinearInput;
use crate::kernels::{Kernels, store_columns};

/// The rows of the result that are some queries' own.
pub(super) struct Results<'o> {
    kernels: Kernels,
    words: &'o mut [u32],
    stride: usize,
    /// Words of a row that hold values.
    width: usize,
}

impl<'o> Results<'o> {
    /// All rows of `out`.
    pub(super) fn of(out: &'o mut LinearInput) -> Self {
        let (kernels, width) = (out.kernels(), out.kernels().row_words(out.cols()));
        let (words, stride) = out.words_mut();
        Self { kernels, words, stride, width }
    }

    /// The first `count` rows, and the others.
    pub(super) fn split(self, count: usize) -> (Self, Self) {
        let (own, others) = self.words.split_at_mut(count * self.stride);
        (Self { words: own, ..self }, Self { words: others, ..self })
    }

    /// Writes a row's values from column `first` on; the columns before it must have been written.
    pub(super) fn store(&mut self, row: usize, first: usize, values: &[f32]) {
        let words = &mut self.words[row * self.stride..][..self.width];
        store_columns(self.kernels, first, values, words);
    }
}
