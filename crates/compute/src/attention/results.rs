//! Where the results of an attention go.

use std::cell::Cell;

use super::AttentionShape;
use crate::LinearInput;
use crate::kernels::{Kernels, Words, store_row};

/// The rows of the result that are some queries' own.
pub(super) struct Results<'o> {
    words: &'o mut [u32],
    stride: usize,
}

thread_local! {
    /// The results of one tile of queries, kept between calls.
    static RESULTS: Cell<Words> = const { Cell::new(Words::new()) };
}

impl<'o> Results<'o> {
    /// All rows of `out`.
    pub(super) fn of(out: &'o mut LinearInput) -> Self {
        let (words, stride) = out.words_mut();
        Self { words, stride }
    }

    /// The first `count` rows, and the others.
    pub(super) fn split(self, count: usize) -> (Self, Self) {
        let (own, others) = self.words.split_at_mut(count * self.stride);
        (Self { words: own, ..self }, Self { words: others, ..self })
    }

    /// Takes in what `write` makes of the rows, `[queries, heads · head_dim]`.
    pub(super) fn fill(
        &mut self,
        kernels: Kernels,
        shape: &AttentionShape,
        write: impl FnOnce(&mut [f32]),
    ) {
        let (count, width) = (self.words.len() / self.stride, shape.query_width());
        let mut memory = RESULTS.take();
        let values = memory.values(count * width);
        write(values);
        let rows = self.words.chunks_exact_mut(self.stride).zip(values.chunks_exact(width));
        rows.for_each(|(words, x)| store_row(kernels, x, &mut words[..kernels.row_words(width)]));
        RESULTS.set(memory);
    }
}
