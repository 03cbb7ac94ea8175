//! A matrix product cut into register tiles.

use std::cell::Cell;
use std::ops::Range;

use super::pack::{LINES, Line};
use super::{Kernels, PANEL, Part, TALLEST, Tile};

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
    if a.count == 0 {
        return;
    }
    let tiles = a.count.div_ceil(kernels.max_rows());
    let at_once = if tiles == 1 { kernels.panels_at_once(a.count) } else { 1 };
    let steps = b.steps.len();
    // One tile has nothing to share its panels with.
    let length = if tiles == 1 { steps } else { kernels.steps_of_a_part(steps) };
    let mut sums = SUMS.take();
    sums.resize(sums.len().max(tiles * kernels.lines_aside()), Line::ZERO);
    let mut product =
        Product { kernels, a, b, output, finish, tiles, sums: &mut sums, rows_before: 0 };
    let mut panel = range.start;
    while panel < range.end {
        let whole = (output.columns / PANEL).min(range.end).saturating_sub(panel);
        let panels = if whole >= at_once { at_once } else { 1 };
        let mut start = 0;
        loop {
            let end = steps.min(start + length);
            // SAFETY: `check` held the operands to their shape, the caller answers for `output`.
            unsafe { product.run_part((panel, panels), start..end) }
            if end == steps {
                break;
            }
            start = end;
        }
        panel += panels;
    }
    SUMS.set(sums);
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

thread_local! {
    /// Sums put aside between two parts of the inner index, kept between calls.
    static SUMS: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// What [`multiply`] was asked for, held to its shapes.
struct Product<'a> {
    kernels: Kernels,
    a: Rows<'a>,
    b: &'a Panels<'a>,
    output: Output,
    finish: Finish<'a>,
    /// How many tiles the rows make.
    tiles: usize,
    /// [`Kernels::lines_aside`] for each tile.
    sums: &'a mut [Line],
    /// Rows of the tile before, none at first.
    rows_before: usize,
}

impl Product<'_> {
    /// The steps `part` of `panels` panels from `panel` on, through all rows.
    ///
    /// # Safety
    /// As [`multiply`]; the parts before must have been run.
    unsafe fn run_part(&mut self, (panel, panels): (usize, usize), part: Range<usize>) {
        let (rows, longer) = (self.a.count / self.tiles, self.a.count % self.tiles);
        let mut row = 0;
        for index in 0..self.tiles {
            let count = rows + usize::from(index < longer);
            let tile = Tile { rows: count, ..self.tile(index, (row, panel), &part) };
            // SAFETY: the caller's.
            unsafe { self.place(tile, (row, panel), panels) }
            (row, self.rows_before) = (row + count, count);
        }
    }

    /// The tile whose first row and panel are given, without its number of rows and place in `C`.
    fn tile(&mut self, index: usize, (row, panel): (usize, usize), part: &Range<usize>) -> Tile {
        let Self { kernels, a, b, finish, .. } = *self;
        debug_assert!(row < a.count && kernels.max_rows() > 0);
        let (first, lines) = (b.steps.start + part.start, kernels.lines_aside());
        let bias = finish.bias.map_or(std::ptr::null(), |bias| bias[panel * PANEL..].as_ptr());
        Tile {
            rows: 0,
            rows_before: self.rows_before,
            depth: part.len(),
            part: Part { first: part.start == 0, last: part.end == b.steps.len() },
            sums: self.sums[index * lines..][..lines].as_mut_ptr(),
            a: a.words[row * a.stride + part.start * kernels.words_per_step()..].as_ptr(),
            a_stride: a.stride,
            b: b.lines[(panel * b.depth + first) * LINES..].as_ptr().cast(),
            b_stride: b.depth * PANEL,
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
    unsafe fn place(&self, tile: Tile, (row, panel): (usize, usize), panels: usize) {
        let kernel = self.kernels.tile(tile.rows, panels, tile.depth);
        let (output, first) = (self.output, panel * PANEL);
        let start = output.start.wrapping_add(row * output.stride + first);
        if first + panels * PANEL <= output.columns {
            // SAFETY: the whole tile lies inside `C`.
            return unsafe { kernel(&Tile { c: start, c_stride: output.stride, ..tile }) };
        }
        let mut buffer = [0.0f32; TALLEST * PANEL];
        let into = Tile { c: buffer.as_mut_ptr(), c_stride: PANEL, ..tile };
        if !tile.part.last {
            // SAFETY: nothing is written to `C` before the last part.
            return unsafe { kernel(&into) };
        }
        let columns = output.columns - first;
        // SAFETY: `columns` of each row lie inside `C`; the buffer holds the widest tile of one panel.
        unsafe {
            for (row, line) in buffer.chunks_exact_mut(PANEL).enumerate().take(tile.rows) {
                let c = start.add(row * output.stride);
                if tile.accumulate {
                    std::ptr::copy_nonoverlapping(c, line.as_mut_ptr(), columns);
                }
            }
            kernel(&into);
            for (row, line) in buffer.chunks_exact(PANEL).enumerate().take(tile.rows) {
                let c = start.add(row * output.stride);
                std::ptr::copy_nonoverlapping(line.as_ptr(), c, columns);
            }
        }
    }
}
