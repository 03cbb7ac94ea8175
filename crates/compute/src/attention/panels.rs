//! Keys and values as the kernels read them.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::{AttentionShape, Sequence};
use crate::kernels::{KEYS, Kernels, LINES, Line, PANEL, Strided, expect, pack_columns, pack_rows};
use crate::precision::bf16_pair;
use crate::{MatrixRef, Precision};

/// One key-value head in panels, [`KEYS`] keys to a tile.
#[derive(Clone, Copy)]
pub(super) struct HeadPanels {
    pub(super) kernels: Kernels,
    pub(super) head_dim: usize,
    pub(super) kv_head: usize,
}

thread_local! {
    /// Memory of [`SequencePanels`], kept between calls.
    static MEMORY: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

impl HeadPanels {
    /// Lines of a tile's keys: panels of keys, the head's width along the depth.
    fn key_lines(self) -> usize {
        KEYS / PANEL * self.kernels.panel_lines(self.head_dim)
    }

    /// Lines of a tile's values: panels of the head's width, the keys along the depth.
    fn value_lines(self) -> usize {
        self.head_dim.div_ceil(PANEL) * self.kernels.panel_lines(KEYS)
    }

    /// Lines of a tile: keys, then values.
    pub(super) fn lines(self) -> usize {
        self.key_lines() + self.value_lines()
    }

    /// Keys and values of a tile.
    pub(super) fn split(self, tile: &[Line]) -> (&[Line], &[Line]) {
        tile.split_at(self.key_lines())
    }

    /// Asks for the first `count` keys of a tile and their values to be brought near.
    pub(super) fn expect(self, tile: &[Line], count: usize) {
        let (keys, values) = tile.split_at(self.key_lines());
        expect(&keys[..count.div_ceil(PANEL) * self.kernels.panel_lines(self.head_dim)]);
        let panels = values[..self.value_lines()].chunks_exact(self.kernels.panel_lines(KEYS));
        panels.for_each(|panel| expect(&panel[..self.kernels.panel_lines(count)]));
    }

    /// Packs the keys `range`, at most [`KEYS`] of them; the panels beyond the last keep what they
    /// hold.
    pub(super) fn pack(self, sequence: &Sequence<'_>, range: Range<usize>, tile: &mut [Line]) {
        let (keys, values) = tile.split_at_mut(self.key_lines());
        let panels = keys.chunks_exact_mut(self.kernels.panel_lines(self.head_dim).max(1));
        for (first, lines) in range.clone().step_by(PANEL).zip(panels) {
            let rows = first..range.end.min(first + PANEL);
            let source = self.part(sequence.k, rows, 0..self.head_dim);
            pack_rows(self.kernels, source, lines);
        }
        let panels = values.chunks_exact_mut(self.kernels.panel_lines(KEYS));
        for (first, lines) in (0..self.head_dim).step_by(PANEL).zip(panels) {
            let columns = first..self.head_dim.min(first + PANEL);
            let source = self.part(sequence.v, range.clone(), columns);
            pack_columns(self.kernels, source, &mut lines[..self.kernels.panel_lines(range.len())]);
        }
    }

    /// Writes the key and the value (`[head_dim]` each) of the token at `place` of a tile. In bf16
    /// tokens come in order: the first of a pair clears the second.
    pub(super) fn store(self, place: usize, (key, value): (&[f32], &[f32]), tile: &mut [Line]) {
        let (keys, values) = tile.split_at_mut(self.key_lines());
        let bf16 = self.kernels.precision == Precision::Bf16;
        let (panel, column) = (place / PANEL, place % PANEL);
        let keys = &mut keys[panel * self.kernels.depth(self.head_dim) * LINES + column / 16..];
        let steps = keys.iter_mut().step_by(LINES).map(|line| &mut line.0[column % 16]);
        if bf16 {
            let pairs = key.chunks(2).map(|pair| bf16_pair(pair[0], *pair.get(1).unwrap_or(&0.0)));
            steps.zip(pairs).for_each(|(word, pair)| *word = pair);
        } else {
            steps.zip(key).for_each(|(word, value)| *word = value.to_bits());
        }
        let step = if bf16 { place / 2 } else { place } * LINES;
        let panels = values.chunks_exact_mut(self.kernels.panel_lines(KEYS));
        for (panel, value) in panels.zip(value.chunks(PANEL)) {
            for (line, value) in panel[step..].iter_mut().zip(value.chunks(16)) {
                for (word, &value) in line.0.iter_mut().zip(value) {
                    *word = match (bf16, place % 2) {
                        (false, _) => value.to_bits(),
                        (true, 0) => bf16_pair(value, 0.0),
                        (true, _) => *word | bf16_pair(0.0, value),
                    };
                }
            }
        }
    }

    /// Rows and columns of this head's part of `from`.
    fn part<'m>(
        self,
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

/// The panels of sequences whose queries make more than one tile, packed once for all of them.
#[derive(Default)]
pub(super) struct SequencePanels {
    lines: Vec<Line>,
    /// First line of every sequence that is packed.
    starts: Vec<Option<usize>>,
    heads: usize,
    tile: usize,
}

impl SequencePanels {
    /// Packs the sequences with more than `queries` queries.
    pub(super) fn pack(
        kernels: Kernels,
        shape: &AttentionShape,
        sequences: &[Sequence<'_>],
        queries: usize,
    ) -> Self {
        let head = |kv_head| HeadPanels { kernels, head_dim: shape.head_dim, kv_head };
        let (heads, tile) = (shape.kv_heads, head(0).lines());
        let (mut lines, mut starts, mut tiles) = (MEMORY.take(), Vec::new(), Vec::new());
        for sequence in sequences {
            let shared = sequence.q.rows() > queries;
            starts.push(shared.then_some(tiles.len() * tile));
            let keys = if shared { sequence.k.rows() } else { 0 };
            let firsts = (0..keys).step_by(KEYS);
            tiles.extend(firsts.flat_map(|first| {
                (0..heads).map(move |head| (sequence, first..keys.min(first + KEYS), head))
            }));
        }
        lines.resize(lines.len().max(tiles.len() * tile), Line::ZERO);
        let packed = lines.par_chunks_exact_mut(tile.max(1)).zip(&tiles).with_max_len(8);
        packed.for_each(|(lines, (sequence, keys, kv_head))| {
            head(*kv_head).pack(sequence, keys.clone(), lines);
        });
        Self { lines, starts, heads, tile }
    }

    /// The tiles of one head of a sequence, if it is packed.
    pub(super) fn of(&self, sequence: usize, kv_head: usize) -> Option<PackedHead<'_>> {
        let start = self.starts[sequence]? + kv_head * self.tile;
        Some(PackedHead { lines: &self.lines[start..], stride: self.heads * self.tile })
    }
}

impl Drop for SequencePanels {
    fn drop(&mut self) {
        MEMORY.set(std::mem::take(&mut self.lines));
    }
}

/// Tiles of one head, `stride` lines apart.
#[derive(Clone, Copy)]
pub(super) struct PackedHead<'a> {
    pub(super) lines: &'a [Line],
    pub(super) stride: usize,
}

impl<'a> PackedHead<'a> {
    /// The tile that begins at key `first`, and what follows it.
    pub(super) fn tile(self, first: usize) -> &'a [Line] {
        &self.lines[first / KEYS * self.stride..]
    }
}
