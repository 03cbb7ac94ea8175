//! A matrix product cut into register tiles.

use std::ops::Range;

use super::pack::{LINES, Line};
use super::{Kernels, PANEL, TALLEST, Tile};

/// Rows of `A`: `count` rows of words, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) words: &'a [u32],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

/// Panels of `B`, `depth` steps each, of which the steps `steps` are used.
#[derive(Clone)]
pub(crate) struct Panels<'a> {
    pub(crate) lines: &'a [Line],
    pub(crate) depth: usize,
    pub(crate) steps: Range<usize>,
}

impl<'a> Panels<'a> {
    /// All steps of one panel.
    pub(crate) fn panel(&self, index: usize) -> &'a [Line] {
        let lines = self.depth * LINES;
        &self.lines[index * lines..][..lines]
    }
}

/// Where `C` goes: rows `stride` elements apart, of which the first `columns` exist.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) start: *mut f32,
    pub(crate) stride: usize,
    pub(crate) columns: usize,
}

impl Output {
    /// The output from row `row` on.
    pub(crate) fn below(self, row: usize) -> Self {
        Self { start: self.start.wrapping_add(row * self.stride), ..self }
    }
}

// SAFETY: threads write disjoint tiles through it; `multiply`'s caller answers for that.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// What happens to the sums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    /// Whether they are added to what `C` holds.
    pub(crate) accumulate: bool,
    /// One value per column, up to the end of the last panel.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether they are rounded to bf16.
    pub(crate) round: bool,
}

/// `C = A · Bᵀ` for the panels `range`, into a slice of rows `stride` apart and at most as long.
pub(crate) fn multiply_into(
    kernels: Kernels,
    (a, b): (Rows<'_>, Panels<'_>),
    range: Range<usize>,
    (c, stride): (&mut [f32], usize),
    accumulate: bool,
) {
    let columns = stride.min(range.end * PANEL);
    assert!(a.count == 0 || (a.count - 1) * stride + columns <= c.len());
    let output = Output { start: c.as_mut_ptr(), stride, columns };
    // SAFETY: `c` is borrowed for writing and has every row and column, as was just checked.
    unsafe { multiply(kernels, (a, &b), range, output, Finish { accumulate, ..Finish::default() }) }
}

/// `C = A · Bᵀ` for the panels `range`: the words of `A` from its slice's start, the steps of `B`
/// that `b` names.
///
/// # Safety
/// `output` must be valid for writes of `a.count` rows and its columns in the panels' range, and
/// no other thread may touch those elements.
pub(crate) unsafe fn multiply(
    kernels: Kernels,
    (a, b): (Rows<'_>, &Panels<'_>),
    range: Range<usize>,
    output: Output,
    finish: Finish<'_>,
) {
    check(kernels, a, b, &range, &finish);
    let tiles = a.count.div_ceil(kernels.max_rows()).max(1);
    let (rows, longer) = (a.count / tiles, a.count % tiles);
    if a.count == 0 {
        return;
    }
    let at_once = if tiles == 1 { kernels.panels_at_once(rows) } else { 1 };
    let (mut panel, mut rows_before) = (range.start, 0);
    while panel < range.end {
        let whole = (output.columns / PANEL).min(range.end).saturating_sub(panel);
        let panels = if whole >= at_once { at_once } else { 1 };
        let mut row = 0;
        for index in 0..tiles {
            let count = rows + usize::from(index < longer);
            let tile =
                Tile { rows: count, rows_before, ..tile(kernels, a, b, (row, panel), &finish) };
            // SAFETY: `check` held the operands to their shape, the caller answers for `output`.
            unsafe { place(kernels, tile, (row, panel), panels, output) }
            (row, rows_before) = (row + count, count);
        }
        panel += panels;
    }
    kernels.end();
}

/// Holds the operands to their shapes.
fn check(kernels: Kernels, a: Rows<'_>, b: &Panels<'_>, range: &Range<usize>, finish: &Finish<'_>) {
    let words = b.steps.len() * kernels.words_per_step();
    assert!(a.count == 0 || (a.count - 1) * a.stride + words <= a.words.len());
    assert!(b.steps.start <= b.steps.end && b.steps.end <= b.depth);
    assert!(range.end * b.depth * LINES <= b.lines.len());
    assert!(finish.bias.is_none_or(|bias| range.end * PANEL <= bias.len()));
}

/// The tile whose first row and panel are given, without its number of rows and place in `C`.
fn tile(
    kernels: Kernels,
    a: Rows<'_>,
    b: &Panels<'_>,
    (row, panel): (usize, usize),
    finish: &Finish<'_>,
) -> Tile {
    debug_assert!(row < a.count && kernels.max_rows() > 0);
    let b_stride = b.depth * PANEL;
    let bias = finish.bias.map_or(std::ptr::null(), |bias| bias[panel * PANEL..].as_ptr());
    Tile {
        rows: 0,
        rows_before: 0,
        depth: b.steps.len(),
        a: a.words[row * a.stride..].as_ptr(),
        a_stride: a.stride,
        b: b.lines[(panel * b.depth + b.steps.start) * LINES..].as_ptr().cast(),
        b_stride,
        c: std::ptr::null_mut(),
        c_stride: 0,
        accumulate: finish.accumulate,
        bias,
        round: finish.round,
    }
}

/// Runs a tile into `C`, through a buffer where the last panel is wider than `C`.
///
/// # Safety
/// As [`multiply`], for the tile at `(row, panel)` and as many panels.
unsafe fn place(
    kernels: Kernels,
    tile: Tile,
    (row, panel): (usize, usize),
    panels: usize,
    output: Output,
) {
    let kernel = kernels.tile(tile.rows, panels);
    let first = panel * PANEL;
    // SAFETY: the tile begins inside `C`.
    let start = unsafe { output.start.add(row * output.stride + first) };
    if first + panels * PANEL <= output.columns {
        // SAFETY: the whole tile lies inside `C`.
        return unsafe { kernel(&Tile { c: start, c_stride: output.stride, ..tile }) };
    }
    let mut buffer = [0.0f32; TALLEST * PANEL];
    let columns = output.columns - first;
    // SAFETY: `columns` of each row lie inside `C`; the buffer holds the widest tile of one panel.
    unsafe {
        for (row, line) in buffer.chunks_exact_mut(PANEL).enumerate().take(tile.rows) {
            let c = start.add(row * output.stride);
            if tile.accumulate {
                std::ptr::copy_nonoverlapping(c, line.as_mut_ptr(), columns);
            }
        }
        kernel(&Tile { c: buffer.as_mut_ptr(), c_stride: PANEL, ..tile });
        for (row, line) in buffer.chunks_exact(PANEL).enumerate().take(tile.rows) {
            std::ptr::copy_nonoverlapping(line.as_ptr(), start.add(row * output.stride), columns);
        }
    }
}
