//! A tile of queries over one span of keys.

use std::cell::Cell;
use std::ops::Range;

use super::panels::{HeadPanels, PackedHead};
use super::results::Results;
use super::softmax::{Scores, merge, soften};
use super::{AttentionShape, Sequence};
use crate::kernels::{
    BLOCK, KEYS, Kernels, KeyTile, Line, PANEL, Panels, Rows, Running, Words, attend, expect,
    multiply_into, store_row,
};

/// Keys whose results are summed on their own before they join the others': the unit of work when
/// few queries see many keys.
pub(super) const SPAN: usize = 512;

/// Queries of one key-value head. Row `i · group + g` is query `i` of the group's head `g`.
pub(super) struct Problem<'a> {
    pub(super) kernels: Kernels,
    head_dim: usize,
    /// Factor from differences of scores to exponents of two.
    pub(super) factor: f32,
    /// Query heads that share the keys.
    group: usize,
    kv_head: usize,
    queries: Range<usize>,
    sequence: &'a Sequence<'a>,
    /// Keys and values, where they are packed already.
    packed: Option<PackedHead<'a>>,
}

/// Weighted values, not yet divided by the sum of the weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// `[rows, width]`, and room for [`BLOCK`] rows.
    values: Vec<f32>,
    /// Score of each row whose weight is 1; negative infinity where it has seen no key.
    references: Vec<f32>,
    /// Sum of the weights of each row.
    sums: Vec<f32>,
    /// `head_dim` rounded up to whole panels.
    width: usize,
}

/// Memory kept between tiles.
#[derive(Default)]
pub(super) struct Buffers {
    queries: Words,
    panels: Vec<Line>,
    /// `[rows, KEYS]` of the tile that was scored last.
    pub(super) scores: Vec<f32>,
    weights: Words,
    /// What [`attend`] works in.
    blocks: Vec<Line>,
    partial: Partial,
    total: Partial,
}

thread_local! {
    pub(super) static BUFFERS: Cell<Buffers> = Cell::default();
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
            factor: shape.scale * std::f32::consts::LOG2_E,
            group: shape.heads / shape.kv_heads,
            kv_head,
            queries: queries.clone(),
            sequence,
            packed: None,
        }
    }

    /// The same with keys and values that are packed already.
    pub(super) fn with_packed(self, packed: Option<PackedHead<'a>>) -> Self {
        Self { packed, ..self }
    }

    pub(super) fn rows(&self) -> usize {
        self.queries.len() * self.group
    }

    /// Rows for which there is room: any row may be the first of a block.
    fn room(&self) -> usize {
        self.rows() + BLOCK
    }

    /// How many keys of a tile that begins at key `first`, and of those after it, a row sees.
    pub(super) fn visible(&self, row: usize, first: usize) -> usize {
        (self.position() + row / self.group + 1).saturating_sub(first)
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
    pub(super) fn run(&self, out: &mut Results<'_>) {
        let mut buffers = BUFFERS.take();
        self.store_queries(&mut buffers);
        self.add_span(0, &mut buffers);
        std::mem::swap(&mut buffers.total, &mut buffers.partial);
        for span in 1..self.keys().div_ceil(SPAN) {
            self.add_span(span, &mut buffers);
            buffers.total.merge(self, &buffers.partial);
        }
        buffers.total.store(self, out);
        BUFFERS.set(buffers);
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
    pub(super) fn store_queries(&self, buffers: &mut Buffers) {
        /// Queries that are asked for before they are needed.
        const AHEAD: usize = 4;
        buffers.scores.resize(self.rows() * KEYS, 0.0);
        let words = self.kernels.row_words(self.head_dim);
        let rows = buffers.queries.first(self.room() * words);
        let width = self.group * self.head_dim;
        let query = |index| &self.sequence.q.row(index)[self.kv_head * width..][..width];
        for (index, rows) in self.queries.clone().zip(rows.chunks_exact_mut(self.group * words)) {
            if index + AHEAD < self.queries.end {
                expect(query(index + AHEAD));
            }
            for (query, words) in query(index).chunks(self.head_dim).zip(rows.chunks_mut(words)) {
                store_row(self.kernels, query, words);
            }
        }
    }

    /// Leaves the result of the span in the buffers.
    fn add_span(&self, span: usize, buffers: &mut Buffers) {
        buffers.partial.reset(self);
        for first in (span * SPAN..self.keys().min((span + 1) * SPAN)).step_by(KEYS) {
            self.add_tile(first, buffers);
        }
    }

    /// Rows of queries before key `first`, which see nothing of a tile that begins there.
    pub(super) fn hidden(&self, first: usize) -> usize {
        first.saturating_sub(self.position()) * self.group
    }

    /// Keys of the tile that begins at key `first`.
    pub(super) fn count(&self, first: usize) -> usize {
        KEYS.min(self.keys() - first)
    }

    /// Leaves the scores of the tile of keys from `first` on in the buffers, but for the rows that
    /// see nothing of it.
    pub(super) fn score_tile(&self, first: usize, buffers: &mut Buffers) {
        let Buffers { queries, panels, scores, .. } = buffers;
        let (keys, _) = self.head().split(self.lines(first, panels, true));
        let hidden = self.hidden(first);
        let queries = self.queries(queries, hidden);
        let depth = self.kernels.depth(self.head_dim);
        let keys = Panels::new(keys, depth, 0..depth);
        let into = (&mut scores[hidden * KEYS..], KEYS);
        let panels = self.count(first).div_ceil(PANEL);
        multiply_into(self.kernels, (queries, keys), 0..panels, into, false);
    }

    /// The rows from `hidden` on, with the room behind them.
    fn queries<'w>(&self, words: &'w mut Words, hidden: usize) -> Rows<'w> {
        let stride = self.kernels.row_words(self.head_dim);
        let words = &words.first(self.room() * stride)[hidden * stride..];
        Rows { words, stride, count: self.rows() - hidden }
    }

    fn head(&self) -> HeadPanels {
        let Self { kernels, head_dim, kv_head, .. } = *self;
        HeadPanels { kernels, head_dim, kv_head }
    }

    /// Keys and values of the tile from `first` on; where they are not packed, they are in `own`,
    /// `anew` or since the last time.
    fn lines<'t>(&'t self, first: usize, own: &'t mut Vec<Line>, anew: bool) -> &'t [Line] {
        if let Some(packed) = self.packed {
            return packed.tile(first);
        }
        if anew {
            own.resize(self.head().lines(), Line::ZERO);
            self.head().pack(self.sequence, first..first + self.count(first), own);
        }
        own
    }

    /// The tile of keys from `first` on: scores, weights, weighted values.
    fn add_tile(&self, first: usize, buffers: &mut Buffers) {
        let rows = self.rows() - self.hidden(first);
        if self.kernels.attends(rows, self.head_dim, self.count(first)) {
            return self.attend(first, buffers);
        }
        self.score_tile(first, buffers);
        let (count, hidden) = (self.count(first), self.hidden(first));
        let Buffers { panels, scores, weights, partial, .. } = buffers;
        let stride = self.kernels.row_words(KEYS);
        let weights = weights.first(self.rows() * stride);
        let tile = &mut Scores { scores, weights, hidden, count, kernels: self.kernels };
        soften(tile, &mut partial.running(self), &|row| self.visible(row, first));
        let (_, values) = self.head().split(self.lines(first, panels, false));
        let words = &weights[hidden * stride..];
        let weights = Rows { words, stride, count: rows };
        let (steps, width) = (0..self.kernels.depth(count), partial.width);
        let values = Panels::new(values, self.kernels.depth(KEYS), steps);
        let into = (&mut partial.values[hidden * width..self.rows() * width], width);
        let accumulate = !first.is_multiple_of(SPAN);
        multiply_into(self.kernels, (weights, values), 0..width / PANEL, into, accumulate);
    }

    /// The same in one go.
    fn attend(&self, first: usize, buffers: &mut Buffers) {
        let (hidden, head_dim) = (self.hidden(first), self.head_dim);
        let Buffers { queries, panels, partial, blocks, .. } = buffers;
        let (keys, values) = self.head().split(self.lines(first, panels, true));
        let visible = &|row| self.visible(hidden + row, first);
        let (queries, count) = (self.queries(queries, hidden), self.count(first));
        let first = first.is_multiple_of(SPAN);
        let tile = &KeyTile { queries, keys, values, count, head_dim, first, visible };
        attend(self.kernels, tile, &mut partial.running(self).below(hidden), blocks);
    }
}

impl Partial {
    /// As before the first keys of a span, the values whatever they were.
    fn reset(&mut self, problem: &Problem<'_>) {
        self.width = problem.head_dim.next_multiple_of(PANEL);
        self.values.resize(problem.room() * self.width, 0.0);
        self.references.clear();
        self.references.resize(problem.rows(), f32::NEG_INFINITY);
        self.sums.clear();
        self.sums.resize(problem.rows(), 0.0);
    }

    /// For the tiles of keys to add to.
    fn running(&mut self, problem: &Problem<'_>) -> Running<'_> {
        let Self { values, references, sums, width } = self;
        let (level, factor, width) = (problem.kernels.level, problem.factor, *width);
        Running { level, factor, values, width, references, sums }
    }

    /// Row by row: weighted values (`[width]`), reference and sum of weights.
    #[inline(always)]
    fn row(&mut self, row: usize) -> (&mut [f32], &mut f32, &mut f32) {
        let values = &mut self.values[row * self.width..][..self.width];
        (values, &mut self.references[row], &mut self.sums[row])
    }

    /// Adds the result of the span that follows.
    pub(super) fn merge(&mut self, problem: &Problem<'_>, next: &Self) {
        for row in 0..self.sums.len() {
            // A row that sees no key of the span keeps what it has.
            if next.references[row] == f32::NEG_INFINITY && next.sums[row] == 0.0 {
                continue;
            }
            let values = &next.values[row * self.width..][..self.width];
            let next = (values, next.references[row], next.sums[row]);
            merge(problem.kernels.level, self.row(row), next, problem.factor);
        }
    }

    /// Writes the weighted means into the tile's rows of the result.
    pub(super) fn store(&mut self, problem: &Problem<'_>, out: &mut Results<'_>) {
        let (head_dim, group) = (problem.head_dim, problem.group);
        let rows = self.values.chunks_exact_mut(self.width.max(1)).zip(&self.sums);
        for (row, (values, &sum)) in rows.enumerate() {
            let values = &mut values[..head_dim];
            // Keys out of sight may have turned -0 into 0; adding 0 makes all zeros alike.
            values.iter_mut().for_each(|value| *value = *value / sum + 0.0);
            let head = problem.kv_head * group + row % group;
            out.store(row / group, head * head_dim, values);
        }
    }
}
