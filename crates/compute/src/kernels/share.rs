//! Products of linears, shared out over the threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::gate::{Row, gate};
use super::product::{Finish, Output, Panels, Rows, multiply};
use super::{Kernels, Line, PANEL, Words};
use crate::{Activation, LinearInput, Precision};

/// Most rows of `x` a task takes through all panels.
const ROWS: usize = 320;
/// Most panels that one tile takes at once.
const PANELS: usize = 4;
/// Fewer rows than this for each thread, and the threads share the panels, not the rows.
const ROWS_WORTH_A_THREAD: usize = 160;

thread_local! {
    /// Columns of a linear's results, or of a gate and of what it gates, kept between calls.
    static STRIPS: Cell<Words> = const { Cell::new(Words::new()) };
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
pub(crate) fn apply<const N: usize>(x: &LinearInput, layers: [Weights<'_>; N], y: [&mut [f32]; N]) {
    let (kernels, mut y) = (x.kernels(), y.into_iter());
    let layers = layers.map(|layer| (layer, layer.output(x, y.next().expect("one per layer"))));
    let panels = layers.iter().map(|(layer, _)| layer.panel_count()).sum();
    share(x, panels, together(x), |rows, first, range| {
        let mut before = 0;
        for (layer, output) in &layers {
            let after = before + layer.panel_count();
            let own =
                range.start.clamp(before, after) - before..range.end.clamp(before, after) - before;
            let next = layer.lines(own.end..layer.panel_count().min(own.end + 1));
            // SAFETY: the rows of these panels are this task's own.
            unsafe { layer.run(kernels, rows, (own, next), output.below(first)) }
            before = after;
        }
    });
}

/// `activation(x · Gᵀ) · (x · Uᵀ)`, `[tokens, out]`, for the layers `[G, U]`: a strip of both at a time,
/// so that neither is ever whole.
///
/// # Panics
/// When the shapes do not fit.
pub(crate) fn apply_gated(
    x: &LinearInput,
    layers: [Weights<'_>; 2],
    activation: Activation,
) -> LinearInput {
    let (kernels, outputs) = (x.kernels(), layers[0].outputs);
    assert_eq!((layers[0].inputs, layers[1].inputs), (x.cols(), x.cols()));
    assert_eq!(layers[1].outputs, outputs, "a gate for every output");
    let mut y = LinearInput::new(kernels, x.rows(), outputs);
    let (words, stride) = y.words_mut();
    let output = Output { start: words.as_mut_ptr().cast(), stride, columns: stride };
    share(x, layers[0].panel_count(), together(x), |rows, first, range| {
        let at_once =
            if rows.count <= kernels.max_rows() { kernels.panels_at_once(rows.count) } else { 1 };
        let (width, output) = (at_once * PANEL, output.below(first));
        let mut memory = STRIPS.take();
        let (gates, ups) = memory.values(2 * rows.count * width).split_at_mut(rows.count * width);
        for panel in range.clone().step_by(at_once) {
            let panels = panel..range.end.min(panel + at_once);
            let after = layers[0].lines(panels.end..range.end.min(panels.end + at_once));
            let next = [layers[1].lines(panels.clone()), after];
            for ((layer, strip), next) in layers.iter().zip([&mut *gates, &mut *ups]).zip(next) {
                let start = strip.as_mut_ptr().wrapping_sub(panel * PANEL);
                let strip = Output { start, stride: width, columns: outputs };
                // SAFETY: the strip has every row and the columns of these panels.
                unsafe { layer.run(kernels, rows, (panels.clone(), next), strip) }
            }
            let (before, columns) =
                (panel * PANEL, outputs.min(panels.end * PANEL) - panel * PANEL);
            let (before, count) = (kernels.row_words(before), kernels.row_words(columns));
            let factors = gates.chunks_exact(width).zip(ups.chunks_exact(width));
            for (row, (gates, ups)) in factors.enumerate() {
                let start = output.below(row).start.wrapping_add(before).cast();
                // SAFETY: `output` has the row, these columns are this task's own, and panels begin
                // with whole words.
                let words = unsafe { std::slice::from_raw_parts_mut(start, count) };
                let factors = Row { gate: &gates[..columns], up: &ups[..columns] };
                gate(kernels, activation, factors, words);
            }
        }
        STRIPS.set(memory);
    });
    y
}

/// Makes `x · Wᵀ + b` some rows and `width` columns at a time, and forgets it: `look` gets the first row,
/// the first column, a multiple of `width`, and the values, `width` of each row, of which those past the
/// last output mean nothing.
///
/// # Panics
/// When `width` is not that of whole panels.
pub(crate) fn apply_in_strips(
    x: &LinearInput,
    layer: Weights<'_>,
    width: usize,
    look: impl Fn(usize, usize, &[f32], usize) + Sync,
) {
    assert!(width.is_multiple_of(PANEL), "whole panels");
    let (kernels, at_once) = (x.kernels(), width / PANEL);
    share(x, layer.panel_count(), at_once, |rows, first, range| {
        let mut memory = STRIPS.take();
        let values = memory.values(rows.count * width);
        for panel in range.clone().step_by(at_once) {
            let panels = panel..range.end.min(panel + at_once);
            let start = values.as_mut_ptr().wrapping_sub(panel * PANEL);
            let strip = Output { start, stride: width, columns: layer.outputs };
            let next = layer.lines(panels.end..range.end.min(panels.end + at_once));
            // SAFETY: the strip has every row and the columns of these panels.
            unsafe { layer.run(kernels, rows, (panels, next), strip) }
            look(first, panel * PANEL, values, width);
        }
        STRIPS.set(memory);
    });
}

/// Panels that stay together where the threads share them: one tile takes several at once.
pub(super) fn together(x: &LinearInput) -> usize {
    if x.rows() <= x.kernels().max_rows() { PANELS } else { 1 }
}

/// Shares out some rows and all of `panels` panels, or where rows are few all rows and some panels,
/// `together` of which stay together: `work` gets the rows as the kernels read them, the index of the
/// first, and the panels.
pub(super) fn share(
    x: &LinearInput,
    panels: usize,
    together: usize,
    work: impl Fn(Rows<'_>, usize, Range<usize>) + Sync,
) {
    let threads = rayon::current_num_threads();
    if x.rows() < ROWS_WORTH_A_THREAD * threads {
        let flops = 2 * x.rows().max(1) * x.cols() * panels * PANEL;
        let tasks = (4 * threads).min(flops.div_ceil(1 << 19)).max(1);
        let share = panels.div_ceil(tasks).next_multiple_of(together).max(1);
        let rows = x.view(0..x.rows());
        return (0..panels.div_ceil(share)).into_par_iter().for_each(|task| {
            work(rows, 0, task * share..panels.min((task + 1) * share));
        });
    }
    let tasks = x.rows().div_ceil(ROWS).next_multiple_of(threads);
    // Whole tiles, as evenly as they go.
    let tallest = x.kernels().max_rows();
    let tiles = x.rows().div_ceil(tallest);
    let first = |task: usize| x.rows().min(task * tiles / tasks * tallest);
    (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
        let range = first(task)..first(task + 1);
        work(x.view(range.clone()), range.start, 0..panels);
    });
}

impl Weights<'_> {
    /// The panels `range` over `rows`, the inner index in blocks that depend on its length alone; `next`
    /// will be read after them.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn run(
        self,
        kernels: Kernels,
        a: Rows<'_>,
        (range, next): (Range<usize>, &[Line]),
        output: Output,
    ) {
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
            let next = if last { next } else { &[] };
            let panels = Panels { next, ..Panels::new(self.panels, depth, start..end) };
            // SAFETY: the caller's.
            unsafe {
                multiply(kernels, (Rows { words, ..a }, &panels), range.clone(), output, finish);
            }
        }
    }

    /// The words of some panels.
    fn lines(&self, panels: Range<usize>) -> &[Line] {
        let lines = self.panels.len() / self.panel_count().max(1);
        &self.panels[panels.start * lines..panels.end * lines]
    }

    fn panel_count(self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Where the layer's result for `x` goes.
    fn output(self, x: &LinearInput, y: &mut [f32]) -> Output {
        assert_eq!((x.cols(), x.rows() * self.outputs), (self.inputs, y.len()));
        Output { start: y.as_mut_ptr(), stride: self.outputs, columns: self.outputs }
    }
}
