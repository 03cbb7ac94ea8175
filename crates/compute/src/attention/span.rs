//! A tile of queries over one span of keys.

use std::cell::Cell;
use std::ops::Range;

use super::softmax::{Scores, merge, soften};
use super::{AttentionShape, Sequence};
use crate::kernels::{
    Kernels, Line, PANEL, Panels, Rows, Strided, multiply_into, pack_columns, pack_rows, store_row,
};
use crate::{KernelLevel, MatrixRef, Precision};

/// Keys of one tile of scores.
pub(super) const KEYS: usize = 128;
/// Keys whose results are summed on their own before they join the others': the unit of work when
/// few queries see many keys.
pub(super) const SPAN: usize = 512;

/// Queries of one key-value head. Row `i · group + g` is query `i` of the group's head `g`.
pub(super) struct Problem<'a> {
    kernels: Kernels,
    head_dim: usize,
    scale: f32,
    /// Query heads that share the keys.
    group: usize,
    kv_head: usize,
    queries: Range<usize>,
    sequence: &'a Sequence<'a>,
}

/// Weighted values, not yet divided by the sum of the weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// `[rows, width]`.
    values: Vec<f32>,
    /// Largest score of each row.
    largest: Vec<f32>,
    /// Sum of the weights of each row.
    sums: Vec<f32>,
    /// `head_dim` rounded up to whole panels.
    width: usize,
}

/// Memory kept between tiles.
#[derive(Default)]
struct Buffers {
    queries: Vec<u32>,
    keys: Vec<Line>,
    values: Vec<Line>,
    scores: Vec<f32>,
    weights: Vec<u32>,
    partial: Partial,
}

thread_local! {
    static BUFFERS: Cell<Buffers> = Cell::default();
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        kernels: Kernels,
        shape: &AttentionShape,
        sequence: &'a Sequence<'a>,
        queries: &Range<usize>,
        kv_head: usize,
    ) -> Self {
        Self {
            kernels,
            head_dim: shape.head_dim,
            scale: shape.scale,
            group: shape.heads / shape.kv_heads,
            kv_head,
            queries: queries.clone(),
            sequence,
        }
    }

    fn rows(&self) -> usize {
        self.queries.len() * self.group
    }

    /// Position of the first query among the keys.
    fn position(&self) -> usize {
        self.sequence.k.rows() - self.sequence.q.rows() + self.queries.start
    }

    /// Number of keys the last query sees.
    pub(super) fn keys(&self) -> usize {
        self.position() + self.queries.len()
    }

    /// All spans, one after another.
    pub(super) fn run(&self) -> Partial {
        let mut buffers = BUFFERS.take();
        self.store_queries(&mut buffers);
        self.add_span(0, &mut buffers);
        let mut total = buffers.partial.clone();
        for span in 1..self.keys().div_ceil(SPAN) {
            self.add_span(span, &mut buffers);
            total.merge(self.kernels.level, &buffers.partial);
        }
        BUFFERS.set(buffers);
        total
    }

    /// One span alone.
    pub(super) fn span(&self, span: usize) -> Partial {
        let mut buffers = BUFFERS.take();
        self.store_queries(&mut buffers);
        self.add_span(span, &mut buffers);
        let partial = std::mem::take(&mut buffers.partial);
        BUFFERS.set(buffers);
        partial
    }

    /// The queries as rows of the left operand.
    fn store_queries(&self, buffers: &mut Buffers) {
        let words = self.kernels.row_words(self.head_dim);
        buffers.queries.resize(self.rows() * words, 0);
        for (row, words) in buffers.queries.chunks_exact_mut(words.max(1)).enumerate() {
            let query = self.sequence.q.row(self.queries.start + row / self.group);
            let head = self.kv_head * self.group + row % self.group;
            store_row(self.kernels, &query[head * self.head_dim..][..self.head_dim], words);
        }
    }

    /// Leaves the result of the span in the buffers.
    fn add_span(&self, span: usize, buffers: &mut Buffers) {
        buffers.partial.reset(self.rows(), self.head_dim);
        buffers.scores.resize(self.rows() * KEYS, 0.0);
        buffers.weights.resize(self.rows() * self.kernels.row_words(KEYS), 0);
        for first in (span * SPAN..self.keys().min((span + 1) * SPAN)).step_by(KEYS) {
            self.add_tile(first, buffers);
        }
    }

    /// The tile of keys from `first` on: scores, weights, weighted values.
    fn add_tile(&self, first: usize, buffers: &mut Buffers) {
        let count = KEYS.min(self.keys() - first);
        let panels = count.div_ceil(PANEL);
        // Queries before the first key see nothing of this tile.
        let hidden = first.saturating_sub(self.position()) * self.group;
        let Buffers { queries, keys, values, scores, weights, partial } = buffers;
        self.pack_keys(first..first + count, keys);
        self.pack_values(first..first + count, values);

        let stride = self.kernels.row_words(self.head_dim);
        let rows = |words, stride| Rows { words, stride, count: self.rows() - hidden };
        let queries = rows(&queries[hidden * stride..], stride);
        let depth = self.kernels.depth(self.head_dim);
        let keys = Panels { lines: keys, depth, steps: 0..depth };
        let into = (&mut scores[hidden * KEYS..], KEYS);
        multiply_into(self.kernels, (queries, keys), 0..panels, into, false);

        soften(
            self.kernels.level,
            &mut Scores {
                scores,
                weights,
                hidden,
                count,
                scale: self.scale,
                kernels: self.kernels,
            },
            partial,
            &|row| (self.position() + row / self.group + 1).saturating_sub(first),
        );

        let stride = self.kernels.row_words(KEYS);
        let weights = rows(&weights[hidden * stride..], stride);
        let (depth, width) = (self.kernels.depth(count), partial.width);
        let values = Panels { lines: values, depth, steps: 0..depth };
        let into = (&mut partial.values[hidden * width..], width);
        multiply_into(self.kernels, (weights, values), 0..width / PANEL, into, true);
    }

    fn pack_keys(&self, range: Range<usize>, panels: &mut Vec<Line>) {
        let lines = self.kernels.panel_lines(self.head_dim);
        panels.resize(lines * range.len().div_ceil(PANEL), Line::ZERO);
        for (panel, lines) in panels.chunks_exact_mut(lines.max(1)).enumerate() {
            let first = range.start + panel * PANEL;
            let rows = first..range.end.min(first + PANEL);
            pack_rows(self.kernels, self.part(self.sequence.k, rows, 0..self.head_dim), lines);
        }
    }

    fn pack_values(&self, range: Range<usize>, panels: &mut Vec<Line>) {
        let lines = self.kernels.panel_lines(range.len());
        panels.resize(lines * self.head_dim.div_ceil(PANEL), Line::ZERO);
        for (panel, lines) in panels.chunks_exact_mut(lines.max(1)).enumerate() {
            let first = panel * PANEL;
            let columns = first..self.head_dim.min(first + PANEL);
            let source = self.part(self.sequence.v, range.clone(), columns);
            pack_columns(self.kernels, source, lines);
        }
    }

    /// Rows and columns of this head's part of `from`.
    fn part<'m>(
        &self,
        from: MatrixRef<'m>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Strided<'m> {
        let start = rows.start * from.cols() + self.kv_head * self.head_dim + columns.start;
        Strided {
            values: &from.as_slice()[start..],
            rows: rows.len(),
            width: columns.len(),
            stride: from.cols(),
        }
    }
}

impl Partial {
    fn reset(&mut self, rows: usize, head_dim: usize) {
        self.width = head_dim.next_multiple_of(PANEL);
        self.values.clear();
        self.values.resize(rows * self.width, 0.0);
        self.largest.clear();
        self.largest.resize(rows, f32::NEG_INFINITY);
        self.sums.clear();
        self.sums.resize(rows, 0.0);
    }

    /// Row by row: weighted values (`[width]`), largest score and sum of weights.
    #[inline(always)]
    pub(super) fn row(&mut self, row: usize) -> (&mut [f32], &mut f32, &mut f32) {
        let values = &mut self.values[row * self.width..][..self.width];
        (values, &mut self.largest[row], &mut self.sums[row])
    }

    /// Adds the result of the span that follows.
    pub(super) fn merge(&mut self, level: KernelLevel, next: &Self) {
        for row in 0..self.sums.len() {
            // A row that sees no key of the span keeps what it has.
            if next.largest[row] == f32::NEG_INFINITY && next.sums[row] == 0.0 {
                continue;
            }
            let values = &next.values[row * self.width..][..self.width];
            merge(level, self.row(row), (values, next.largest[row], next.sums[row]));
        }
    }

    /// Writes the weighted means into the tile's rows of the result.
    pub(super) fn store(&self, precision: Precision, problem: &Problem<'_>, out: &mut [f32]) {
        let (head_dim, group) = (problem.head_dim, problem.group);
        let width = out.len() / problem.queries.len().max(1);
        for (row, &sum) in self.sums.iter().enumerate() {
            let head = problem.kv_head * group + row % group;
            let out = &mut out[row / group * width + head * head_dim..][..head_dim];
            for (out, value) in out.iter_mut().zip(&self.values[row * self.width..]) {
                // Keys out of sight may have turned -0 into 0; adding 0 makes all zeros alike.
                *out = precision.round(value / sum + 0.0);
            }
        }
    }
}
