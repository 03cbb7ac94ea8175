//! A linear's product, shared out over the threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::product::{Finish, Output, Panels, Rows, multiply};
use super::{Kernels, Line, PANEL, store_row};
use crate::{MatrixRef, Precision};

/// Most inputs summed before the sum is put aside in `y`, so that a block of `x` stays in cache.
const INNER: usize = 1024;
/// Most rows of `x` a task takes through all panels.
const ROWS: usize = 192;
/// Fewer rows than this for each thread, and the threads share the panels, not the rows.
const ROWS_WORTH_A_THREAD: usize = 48;

thread_local! {
    /// The rows of `x` as the kernels read them, kept between calls.
    static WORDS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// Packed weights: `[panels][depth][PANEL]` words, and one bias per output up to the end of the last
/// panel.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) panels: &'a [Line],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `x · Wᵀ + b` into `y`, `[tokens, out]`.
pub(crate) fn apply(kernels: Kernels, x: MatrixRef<'_>, weights: Weights<'_>, y: &mut [f32]) {
    assert_eq!((x.cols(), x.rows() * weights.outputs), (weights.inputs, y.len()));
    let threads = rayon::current_num_threads();
    if x.rows() < ROWS_WORTH_A_THREAD * threads {
        weights.share_panels(kernels, x, y, threads);
    } else {
        weights.share_rows(kernels, x, y, threads);
    }
}

impl Weights<'_> {
    /// Every task takes all panels over some rows.
    fn share_rows(self, kernels: Kernels, x: MatrixRef<'_>, y: &mut [f32], threads: usize) {
        let tasks = x.rows().div_ceil(ROWS).next_multiple_of(threads);
        // Whole tiles, as evenly as they go.
        let tiles = x.rows().div_ceil(kernels.max_rows());
        let first = |task: usize| x.rows().min(task * tiles / tasks * kernels.max_rows());
        let output = self.output(y);
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let range = first(task)..first(task + 1);
            let part = x.view_rows(range.clone());
            let output = output.below(range.start);
            with_words(kernels, part, |rows| {
                // SAFETY: `output` is the rows of `y` from this task's first, which are its own.
                unsafe { self.run(kernels, rows, 0..self.panel_count(), output) }
            });
        });
    }

    /// Every task takes all rows over some panels.
    fn share_panels(self, kernels: Kernels, x: MatrixRef<'_>, y: &mut [f32], threads: usize) {
        let panels = self.panel_count();
        let flops = 2 * x.rows().max(1) * self.inputs * self.outputs;
        let tasks = (4 * threads).min(flops.div_ceil(1 << 19)).max(1);
        let share = panels.div_ceil(tasks).next_multiple_of(4).max(1);
        let output = self.output(y);
        with_words(kernels, x, |rows| {
            (0..panels.div_ceil(share)).into_par_iter().for_each(|task| {
                let range = task * share..panels.min((task + 1) * share);
                // SAFETY: the columns of these panels are this task's own.
                unsafe { self.run(kernels, rows, range, output) }
            });
        });
    }

    /// The panels `range` over `rows`, the inner index in blocks that depend on its length alone.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn run(self, kernels: Kernels, a: Rows<'_>, range: Range<usize>, output: Output) {
        let depth = kernels.depth(self.inputs);
        let blocks = self.inputs.div_ceil(INNER).max(1);
        let length = depth.div_ceil(blocks);
        for block in 0..blocks {
            let (start, end) = (block * length, depth.min((block + 1) * length));
            let last = block + 1 == blocks;
            let finish = Finish {
                accumulate: block > 0,
                bias: self.bias.filter(|_| last),
                round: last && kernels.precision == Precision::Bf16,
            };
            let words = a.words.get(start * kernels.words_per_step()..).unwrap_or_default();
            let panels = Panels { lines: self.panels, depth, steps: start..end };
            // SAFETY: the caller's.
            unsafe {
                multiply(kernels, (Rows { words, ..a }, &panels), range.clone(), output, finish);
            }
        }
    }

    fn panel_count(self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    fn output(self, y: &mut [f32]) -> Output {
        Output { start: y.as_mut_ptr(), stride: self.outputs, columns: self.outputs }
    }
}

/// Calls `work` with the rows of `x` as the kernels read them.
fn with_words(kernels: Kernels, x: MatrixRef<'_>, work: impl FnOnce(Rows<'_>)) {
    // A line more than needed: rows a power of two apart would share their cache sets.
    let stride = kernels.row_words(x.cols()).next_multiple_of(16) + 16;
    let mut words = WORDS.take();
    words.resize(words.len().max(stride * x.rows()), 0);
    for (row, words) in words.chunks_exact_mut(stride).enumerate().take(x.rows()) {
        store_row(kernels, x.row(row), &mut words[..kernels.row_words(x.cols())]);
    }
    work(Rows { words: &words, stride, count: x.rows() });
    WORDS.set(words);
}
