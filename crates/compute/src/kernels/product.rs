//! A matrix product cut into register tiles.

use std::cell::Cell;
use std::ops::Range;

use super::pack::{LINES, Line};
use super::widen::multiply_widened;
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
    /// What is read once the product is done, as far as anyone knows.
    pub(crate) next: &'a [Line],
}

impl<'a> Panels<'a> {
    pub(crate) fn new(lines: &'a [Line], depth: usize, steps: Range<usize>) -> Self {
        Self { lines, depth, steps, next: &[] }
    }

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

    /// The output from panel `panel` on.
    pub(crate) fn right_of(self, panel: usize) -> Self {
        let before = panel * PANEL;
        let (start, columns) = (self.start.wrapping_add(before), self.columns - before);
        Self { start, columns, ..self }
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
    if kernels.widens(a.count) {
        // SAFETY: the caller's.
        return unsafe { multiply_widened(kernels, (a, b), range, output, finish) };
    }
    let tiles = a.count.div_ceil(kernels.max_rows());
    let at_once = if tiles == 1 { kernels.panels_at_once(a.count) } else { 1 };
    let steps = b.steps.len();
    // One tile has nothing to share its panels with.
    let length = if tiles == 1 { steps } else { kernels.steps_of_a_part(steps) };
    let mut sums = SUMS.take();
    // a tile whose sums wait has lines of its own, also where there is but one for each panel
    sums.resize(sums.len().max(tiles.max(2) * kernels.lines_aside()), Line::ZERO);
    let mut product = Product::new((kernels, a, b), output, finish, (tiles, &mut sums));
    let mut panel = range.start;
    while panel < range.end {
        let whole = (output.columns / PANEL).min(range.end).saturating_sub(panel);
        let panels = if whole >= at_once { at_once } else { 1 };
        let mut start = 0;
        loop {
            let end = steps.min(start + length);
            product.ahead = match () {
                () if end < steps => product.lines(panel, end..steps.min(end + length)),
                () if panel + panels < range.end => {
                    product.lines(panel + panels, 0..steps.min(length))
                }
                () => b.next,
            };
            // SAFETY: `check` held the operands to their shape, the caller answers for `output`.
            unsafe { product.run_part((panel, panels), start..end) }
            if end == steps {
                break;
            }
            start = end;
        }
        panel += panels;
    }
    // SAFETY: the tile that waits was run in this call.
    unsafe { kernels.end(product.waiting()) }
    SUMS.set(sums);
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
    /// The last two tiles, by turns. What they have in common is written once, and the rest value by value:
    /// reading a tile in larger pieces than it was written would wait for all that is being stored.
    slots: [Tile; 2],
    /// Which of them is the last.
    last: usize,
    /// Whether its sums wait.
    waits: bool,
    /// What is read after this part.
    ahead: &'a [Line],
}

impl<'a> Product<'a> {
    fn new(
        (kernels, a, b): (Kernels, Rows<'a>, &'a Panels<'a>),
        output: Output,
        finish: Finish<'a>,
        (tiles, sums): (usize, &'a mut [Line]),
    ) -> Self {
        let slot = Tile {
            rows: 0,
            rows_before: 0,
            depth: 0,
            part: Part { first: true, last: true },
            sums: std::ptr::null_mut(),
            a: std::ptr::null(),
            a_stride: a.stride,
            b: std::ptr::null(),
            b_stride: b.depth * PANEL,
            c: std::ptr::null_mut(),
            c_stride: 0,
            accumulate: finish.accumulate,
            bias: std::ptr::null(),
            round: finish.round,
            waits: false,
            before: std::ptr::null(),
            ahead: std::ptr::null(),
        };
        let (slots, last, waits) = ([slot; 2], 0, false);
        Self { kernels, a, b, output, finish, tiles, sums, slots, last, waits, ahead: &[] }
    }

    /// The lines of some steps of a panel.
    fn lines(&self, panel: usize, steps: Range<usize>) -> &'a [Line] {
        let first = panel * self.b.depth + self.b.steps.start;
        &self.b.lines[(first + steps.start) * LINES..(first + steps.end) * LINES]
    }

    /// The last tile, where its sums wait.
    fn waiting(&self) -> Option<&Tile> {
        self.waits.then_some(&self.slots[self.last])
    }

    /// The steps `part` of `panels` panels from `panel` on, through all rows.
    ///
    /// # Safety
    /// As [`multiply`]; the parts before must have been run.
    unsafe fn run_part(&mut self, (panel, panels): (usize, usize), part: Range<usize>) {
        let (rows, longer) = (self.a.count / self.tiles, self.a.count % self.tiles);
        let mut row = 0;
        for index in 0..self.tiles {
            let count = rows + usize::from(index < longer);
            let lines = if self.tiles == 1 { panel % 2 } else { index };
            self.next(lines, (row..row + count, panel), &part);
            // every tile asks for its share of what follows
            let share = self.ahead.get(index * self.kernels.lines_ahead(part.len())..);
            let tile = &mut self.slots[self.last];
            tile.ahead = share.map_or(tile.b, |lines| lines.as_ptr().cast());
            // SAFETY: the caller's.
            unsafe { self.place((row, panel), panels) }
            row += count;
        }
    }

    /// Goes on to the tile of `rows` and the panel, whose sums have the lines `lines`; its place in `C` is
    /// still to be said.
    fn next(&mut self, lines: usize, (rows, panel): (Range<usize>, usize), part: &Range<usize>) {
        let Self { kernels, a, b, finish, .. } = *self;
        debug_assert!(rows.end <= a.count && rows.len() <= kernels.max_rows());
        let (first, aside) = (b.steps.start + part.start, kernels.lines_aside());
        let before = &raw const self.slots[self.last];
        let rows_before = self.slots[self.last].rows;
        self.last = 1 - self.last;
        let tile = &mut self.slots[self.last];
        tile.rows = rows.len();
        tile.rows_before = rows_before;
        tile.depth = part.len();
        tile.part.first = part.start == 0;
        tile.part.last = part.end == b.steps.len();
        tile.sums = self.sums[lines * aside..][..aside].as_mut_ptr();
        let word = rows.start * a.stride + part.start * kernels.words_per_step();
        tile.a = a.words[word..].as_ptr();
        tile.b = b.lines[(panel * b.depth + first) * LINES..].as_ptr().cast();
        tile.bias = finish.bias.map_or(std::ptr::null(), |bias| bias[panel * PANEL..].as_ptr());
        tile.before = if self.waits { before } else { std::ptr::null() };
    }

    /// Runs the tile into `C`, through a buffer where the last panel is wider than `C`.
    ///
    /// # Safety
    /// As [`multiply`], for the tile at `(row, panel)` and as many panels.
    unsafe fn place(&mut self, (row, panel): (usize, usize), panels: usize) {
        let (kernels, output, first) = (self.kernels, self.output, panel * PANEL);
        let tile = &mut self.slots[self.last];
        let kernel = kernels.tile(tile.rows, panels, tile.depth);
        let start = output.start.wrapping_add(row * output.stride + first);
        self.waits = first + panels * PANEL <= output.columns && kernels.sums_wait(tile);
        tile.waits = self.waits;
        if first + panels * PANEL <= output.columns {
            (tile.c, tile.c_stride) = (start, output.stride);
            // SAFETY: the whole tile lies inside `C`; the one before was run, where its sums wait.
            return unsafe { kernel(tile) };
        }
        let mut buffer = [0.0f32; TALLEST * PANEL];
        (tile.c, tile.c_stride) = (buffer.as_mut_ptr(), PANEL);
        if !tile.part.last {
            // SAFETY: nothing is written to `C` before the last part.
            return unsafe { kernel(tile) };
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
            kernel(tile);
            for (row, line) in buffer.chunks_exact(PANEL).enumerate().take(tile.rows) {
                let c = start.add(row * output.stride);
                std::ptr::copy_nonoverlapping(line.as_ptr(), c, columns);
            }
        }
    }
}
