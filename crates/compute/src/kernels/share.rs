//! Products of linears, shared out over the threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::product::{Finish, Output, Panels, Rows, multiply};
use super::{Kernels, Line, PANEL, Words, store_row};
use crate::activation::{Strips, gate};
use crate::{Activation, MatrixRef, Precision};

/// Most rows of `x` a task takes through all panels.
const ROWS: usize = 192;
/// Fewer rows than this for each thread, and the threads share the panels, not the rows.
const ROWS_WORTH_A_THREAD: usize = 48;

thread_local! {
    /// Columns of a gate and of what it gates, kept between calls.
    static STRIPS: Cell<Words> = const { Cell::new(Words::new()) };
    /// The rows of `x` as the kernels read them, kept between calls.
    static WORDS: Cell<Words> = const { Cell::new(Words::new()) };
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

/// `x · Wᵀ + b` into `y`, `[tokens, out]`, for every layer, all of which read the same rows.
///
/// # Panics
/// When the shapes do not fit.
pub(crate) fn apply<const N: usize>(
    kernels: Kernels,
    x: MatrixRef<'_>,
    layers: [Weights<'_>; N],
    y: [&mut [f32]; N],
) {
    let mut y = y.into_iter();
    let layers = layers.map(|layer| (layer, layer.output(x, y.next().expect("one per layer"))));
    let panels = layers.iter().map(|(layer, _)| layer.panel_count()).sum();
    share(kernels, x, panels, |rows, first, range| {
        let mut before = 0;
        for (layer, output) in &layers {
            let after = before + layer.panel_count();
            let own =
                range.start.clamp(before, after) - before..range.end.clamp(before, after) - before;
            // SAFETY: the rows of these panels are this task's own.
            unsafe { layer.run(kernels, rows, own, output.below(first)) }
            before = after;
        }
    });
}

/// `activation(x · Gᵀ) · (x · Uᵀ)` into `y`, `[tokens, out]`, for the layers `[G, U]`: a strip of both
/// at a time, so that neither is ever whole.
///
/// # Panics
/// When the shapes do not fit.
pub(crate) fn apply_gated(
    kernels: Kernels,
    x: MatrixRef<'_>,
    layers: [Weights<'_>; 2],
    activation: Activation,
    y: &mut [f32],
) {
    let outputs = layers[0].outputs;
    assert_eq!(layers[1].outputs, outputs, "a gate for every output");
    let output = layers[0].output(x, y);
    share(kernels, x, layers[0].panel_count(), |rows, first, range| {
        let at_once =
            if rows.count <= kernels.max_rows() { kernels.panels_at_once(rows.count) } else { 1 };
        let (width, output) = (at_once * PANEL, output.below(first));
        let mut memory = STRIPS.take();
        let strips = memory.values(2 * rows.count * width).split_at_mut(rows.count * width);
        for panel in range.clone().step_by(at_once) {
            let panels = panel..range.end.min(panel + at_once);
            for (layer, strip) in layers.iter().zip([&mut *strips.0, &mut *strips.1]) {
                let start = strip.as_mut_ptr().wrapping_sub(panel * PANEL);
                let strip = Output { start, stride: width, columns: outputs };
                // SAFETY: the strip has every row and the columns of these panels.
                unsafe { layer.run(kernels, rows, panels.clone(), strip) }
            }
            let columns = panel * PANEL..outputs.min(panels.end * PANEL);
            let own = |row| {
                let start = output.below(row).start.wrapping_add(columns.start);
                // SAFETY: `output` has the row, and these columns are this task's own.
                unsafe { std::slice::from_raw_parts_mut(start, columns.len()) }
            };
            let strips = Strips { gate: strips.0, up: strips.1, width };
            gate(kernels, activation, strips, &mut (0..rows.count).map(own).collect::<Vec<_>>());
        }
        STRIPS.set(memory);
    });
}

/// Shares out some rows and all of `panels` panels, or where rows are few all rows and some panels:
/// `work` gets the rows as the kernels read them, the index of the first, and the panels.
pub(super) fn share(
    kernels: Kernels,
    x: MatrixRef<'_>,
    panels: usize,
    work: impl Fn(Rows<'_>, usize, Range<usize>) + Sync,
) {
    let threads = rayon::current_num_threads();
    if x.rows() < ROWS_WORTH_A_THREAD * threads {
        let flops = 2 * x.rows().max(1) * x.cols() * panels * PANEL;
        let tasks = (4 * threads).min(flops.div_ceil(1 << 19)).max(1);
        let share = panels.div_ceil(tasks).next_multiple_of(4).max(1);
        return with_words(kernels, x, |rows| {
            (0..panels.div_ceil(share)).into_par_iter().for_each(|task| {
                work(rows, 0, task * share..panels.min((task + 1) * share));
            });
        });
    }
    let tasks = x.rows().div_ceil(ROWS).next_multiple_of(threads);
    // Whole tiles, as evenly as they go.
    let tiles = x.rows().div_ceil(kernels.max_rows());
    let first = |task: usize| x.rows().min(task * tiles / tasks * kernels.max_rows());
    (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
        let range = first(task)..first(task + 1);
        with_words(kernels, x.view_rows(range.clone()), |rows| work(rows, range.start, 0..panels));
    });
}

impl Weights<'_> {
    /// The panels `range` over `rows`, the inner index in blocks that depend on its length alone.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn run(self, kernels: Kernels, a: Rows<'_>, range: Range<usize>, output: Output) {
        let depth = kernels.depth(self.inputs);
        let blocks = self.inputs.div_ceil(kernels.inner()).max(1);
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

    /// Where the layer's result for `x` goes.
    fn output(self, x: MatrixRef<'_>, y: &mut [f32]) -> Output {
        assert_eq!((x.cols(), x.rows() * self.outputs), (self.inputs, y.len()));
        Output { start: y.as_mut_ptr(), stride: self.outputs, columns: self.outputs }
    }
}

/// Calls `work` with the rows of `x` as the kernels read them.
fn with_words(kernels: Kernels, x: MatrixRef<'_>, work: impl FnOnce(Rows<'_>)) {
    // A line more than needed: rows a power of two apart would share their cache sets.
    let stride = kernels.row_words(x.cols()).next_multiple_of(16) + 16;
    let mut memory = WORDS.take();
    let words = memory.first(stride * x.rows());
    for (row, words) in words.chunks_exact_mut(stride).enumerate().take(x.rows()) {
        store_row(kernels, x.row(row), &mut words[..kernels.row_words(x.cols())]);
    }
    work(Rows { words, stride, count: x.rows() });
    WORDS.set(memory);
}
