//! Rows and panels in the layout the tiles read.

use half::bf16;
use rayon::prelude::*;

use super::{Kernels, PANEL, for_each_level};
use crate::precision::{bf16_pair, narrow_all, round_bf16, widen_all};
use crate::{KernelLevel, MatrixRef, Precision};

/// 16 words on a cache line of their own; two are one step of a panel.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; 16]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; 16]);
}

/// Asks for `values`, which are needed soon, to be brought into the second cache.
#[inline]
pub(crate) fn expect<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of_val(values)).step_by(size_of::<Line>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes nothing but caches.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().cast::<i8>().wrapping_add(offset)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Memory for rows of the left operand, which begins on a cache line: a row of a tile that lay on two
/// would take two reads.
#[derive(Default)]
pub(crate) struct Words(Vec<Line>);

impl Words {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first `count` words: what was written there last, or zeros.
    pub(crate) fn first(&mut self, count: usize) -> &mut [u32] {
        // SAFETY: there are as many words, and all bits are a word's.
        unsafe { std::slice::from_raw_parts_mut(self.room(count).cast(), count) }
    }

    /// The same as numbers.
    pub(crate) fn values(&mut self, count: usize) -> &mut [f32] {
        // SAFETY: there are as many words, and all bits are a number's.
        unsafe { std::slice::from_raw_parts_mut(self.room(count).cast(), count) }
    }

    /// Where room for `count` words begins.
    fn room(&mut self, count: usize) -> *mut Line {
        let lines = count.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line::ZERO);
        }
        self.0.as_mut_ptr()
    }
}

/// Lines of a panel's step.
pub(crate) const LINES: usize = PANEL / 16;

/// Writes `x` (`[inner]`) as a row of `A` (`[row_words(inner)]`).
pub(crate) fn store_row(kernels: Kernels, x: &[f32], words: &mut [u32]) {
    match (kernels.precision, kernels.level) {
        (Precision::F32, level) => store_full(level, x, words),
        (Precision::Bf16, level) if level.multiplies_bf16() => store_pairs(x, words),
        (Precision::Bf16, level) => store_rounded(level, x, words),
    }
}

/// Writes `x` into a row of `A` from column `first` on; the columns before it must have been written.
pub(crate) fn store_columns(kernels: Kernels, first: usize, x: &[f32], row: &mut [u32]) {
    if !kernels.takes_pairs() {
        let end = row.len().min(first + kernels.row_words(x.len()));
        return store_row(kernels, x, &mut row[first..end]);
    }
    let (mut x, row) = (x, &mut row[first / 2..]);
    if let (false, [value, rest @ ..]) = (first.is_multiple_of(2), x) {
        row[0] = row[0] & 0xFFFF | bf16_pair(0.0, *value);
        x = rest;
    }
    store_row(kernels, x, &mut row[first % 2..]);
}

/// Writes the values of a row of `A` (`[row_words(inner)]`) to `x` (`[inner]`).
pub(crate) fn load_row(kernels: Kernels, words: &[u32], x: &mut [f32]) {
    match kernels.takes_pairs() {
        true => load_pairs(kernels.level, words, x),
        false => load_full(kernels.level, words, x),
    }
}

/// [`store_row`] of numbers that are bf16 already.
pub(crate) fn store_bf16(kernels: Kernels, x: &[bf16], words: &mut [u32]) {
    if !kernels.takes_pairs() {
        let (values, rest) = words.split_at_mut(x.len());
        widen_all(kernels.level, x, bytemuck::cast_slice_mut(values));
        return rest.fill(0);
    }
    let (pairs, last) = x.as_chunks::<2>();
    for (word, [low, high]) in words.iter_mut().zip(pairs) {
        *word = u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16;
    }
    if let [last] = last {
        words[pairs.len()] = u32::from(last.to_bits());
    }
}

/// [`load_row`] to the nearest bf16 numbers.
pub(crate) fn load_bf16(kernels: Kernels, words: &[u32], x: &mut [bf16]) {
    if !kernels.takes_pairs() {
        return narrow_all(kernels.level, bytemuck::cast_slice(&words[..x.len()]), x);
    }
    let (pairs, last) = x.as_chunks_mut::<2>();
    for ([low, high], word) in pairs.iter_mut().zip(words) {
        (*low, *high) = (bf16::from_bits(*word as u16), bf16::from_bits((word >> 16) as u16));
    }
    if let [last] = last {
        *last = bf16::from_bits(words[pairs.len()] as u16);
    }
}

for_each_level! { fn load_full(words: &[u32], x: &mut [f32]) = load_full_body }
for_each_level! { fn load_pairs(words: &[u32], x: &mut [f32]) = load_pairs_body }

#[inline(always)]
fn load_full_body<const FUSED: bool>(words: &[u32], x: &mut [f32]) {
    for (x, word) in x.iter_mut().zip(words) {
        *x = f32::from_bits(*word);
    }
}

#[inline(always)]
fn load_pairs_body<const FUSED: bool>(words: &[u32], x: &mut [f32]) {
    let (pairs, last) = x.as_chunks_mut::<2>();
    for ([low, high], word) in pairs.iter_mut().zip(words) {
        (*low, *high) = (f32::from_bits(word << 16), f32::from_bits(word & 0xFFFF_0000));
    }
    if let [last] = last {
        *last = f32::from_bits(words[pairs.len()] << 16);
    }
}

for_each_level! { fn store_full(x: &[f32], words: &mut [u32]) = full_body }
for_each_level! { fn store_rounded(x: &[f32], words: &mut [u32]) = rounded_body }

/// Pairs for the instruction that multiplies them, by the one that rounds.
fn store_pairs(x: &[f32], words: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: only the level that has the instructions takes pairs.
    unsafe {
        super::avx512_pack::store_pairs(x, words);
    }
    #[cfg(not(target_arch = "x86_64"))]
    pairs_body::<false>(x, words);
}

#[inline(always)]
fn full_body<const FUSED: bool>(x: &[f32], words: &mut [u32]) {
    for (word, x) in words.iter_mut().zip(x) {
        *word = x.to_bits();
    }
}

#[inline(always)]
fn rounded_body<const FUSED: bool>(x: &[f32], words: &mut [u32]) {
    words[x.len()..].fill(0);
    for (word, &x) in words.iter_mut().zip(x) {
        *word = round_bf16(x).to_bits();
    }
}

#[inline(always)]
fn pairs_body<const FUSED: bool>(x: &[f32], words: &mut [u32]) {
    let (pairs, last) = x.as_chunks::<2>();
    for (word, &[low, high]) in words.iter_mut().zip(pairs) {
        *word = bf16_pair(low, high);
    }
    if let &[last] = last {
        words[pairs.len()] = bf16_pair(last, 0.0);
    }
}

/// Lines that a thread clears at least.
const ZEROS: usize = 1 << 12;

/// Packs all rows of `matrix`, `[out, in]`, as the columns of panels.
pub(crate) fn pack_matrix(kernels: Kernels, matrix: MatrixRef<'_>) -> Vec<Line> {
    let mut panels = empty_panels(kernels, matrix.rows(), matrix.cols());
    pack_into(kernels, matrix, &mut panels);
    panels
}

/// [`pack_matrix`] into panels that are there, one for every [`PANEL`] rows.
pub(crate) fn pack_into(kernels: Kernels, matrix: MatrixRef<'_>, panels: &mut [Line]) {
    let (outputs, inputs) = (matrix.rows(), matrix.cols());
    let panels = panels.par_chunks_mut(kernels.panel_lines(inputs).max(1)).enumerate();
    panels.for_each(|(panel, lines)| {
        let first = panel * PANEL;
        let rows = PANEL.min(outputs - first);
        let values = matrix.view_rows(first..first + rows).as_slice();
        pack_rows(kernels, Strided { values, rows, width: inputs, stride: inputs }, lines);
    });
}

/// Panels of zeros for `outputs` rows of `inputs` values.
pub(crate) fn empty_panels(kernels: Kernels, outputs: usize, inputs: usize) -> Vec<Line> {
    // on all threads: fresh memory costs as much as what is written to it
    let lines = outputs.div_ceil(PANEL) * kernels.panel_lines(inputs);
    rayon::iter::repeat_n(Line::ZERO, lines).with_min_len(ZEROS).collect()
}

/// Packs up to [`PANEL`] rows of `[inner]` values as the columns of one panel: each row `stride`
/// values after the one before, the inner index along the depth. Missing rows are zero.
pub(crate) fn pack_rows(kernels: Kernels, source: Strided<'_>, panel: &mut [Line]) {
    let with_turn = (source, turn(kernels.level));
    match (kernels.precision, kernels.level) {
        (Precision::F32, level) => pack_rows_full(level, with_turn, panel),
        (Precision::Bf16, level) if level.multiplies_bf16() => {
            transpose_rows(with_turn, panel, 32, store_pairs);
        }
        (Precision::Bf16, level) => pack_rows_bf16(level, with_turn, panel),
    }
}

/// Packs rows of up to [`PANEL`] values as the steps of one panel: the row index along the depth.
/// Missing columns are zero, and in bf16 a missing last row.
pub(crate) fn pack_columns(kernels: Kernels, source: Strided<'_>, panel: &mut [Line]) {
    match (kernels.precision, kernels.level) {
        (Precision::F32, level) => pack_columns_full(level, source, panel),
        #[cfg(target_arch = "x86_64")]
        (Precision::Bf16, level) if level.multiplies_bf16() => {
            // SAFETY: a level is active only when the processor has its instructions.
            unsafe { super::avx512_pack::pack_columns(source, panel) }
        }
        (Precision::Bf16, level) => pack_columns_bf16(level, source, panel),
    }
}

/// The columns of a panel, `[depth][PANEL]`, as rows of the left operand, `stride` words apart, up
/// to a whole number of lines each.
pub(crate) fn unpack_columns(level: KernelLevel, panel: &[Line], rows: &mut [u32], stride: usize) {
    let turn = turn(level);
    let (mut square, mut turned) = ([[0; 16]; 16], [Line::ZERO; 16 * LINES]);
    for (block, lines) in panel.chunks(16 * LINES).enumerate() {
        for half in 0..LINES {
            let words = lines.iter().skip(half).step_by(LINES);
            square.iter_mut().zip(words).for_each(|(square, line)| *square = line.0);
            square[lines.len() / LINES..].fill([0; 16]);
            turn(&square, &mut turned);
            for (row, line) in turned.iter().step_by(LINES).enumerate() {
                rows[(half * 16 + row) * stride + block * 16..][..16].copy_from_slice(&line.0);
            }
        }
    }
}

/// `rows` rows of `width` values, `stride` values apart.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
}

impl<'a> Strided<'a> {
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.width]
    }
}

for_each_level! { fn pack_rows_full(source: (Strided<'_>, Turn), panel: &mut [Line]) = rows_full_body }
for_each_level! { fn pack_rows_bf16(source: (Strided<'_>, Turn), panel: &mut [Line]) = rows_bf16_body }
for_each_level! { fn pack_columns_full(source: Strided<'_>, panel: &mut [Line]) = columns_full_body }
for_each_level! { fn pack_columns_bf16(source: Strided<'_>, panel: &mut [Line]) = columns_bf16_body }

#[inline(always)]
fn rows_full_body<const FUSED: bool>(source: (Strided<'_>, Turn), panel: &mut [Line]) {
    transpose_rows(source, panel, 16, full_body::<FUSED>);
}

#[inline(always)]
fn rows_bf16_body<const FUSED: bool>(source: (Strided<'_>, Turn), panel: &mut [Line]) {
    transpose_rows(source, panel, 32, pairs_body::<FUSED>);
}

/// Takes `values` values of 16 rows at a time through `store`, and turns the words around.
#[inline(always)]
fn transpose_rows(
    (source, turn): (Strided<'_>, Turn),
    panel: &mut [Line],
    values: usize,
    store: impl Fn(&[f32], &mut [u32]),
) {
    let mut square = [[0; 16]; 16];
    for half in 0..LINES {
        let rows = source.rows.saturating_sub(half * 16).min(16);
        square[rows..].fill([0; 16]);
        for (block, lines) in panel.chunks_mut(16 * LINES).enumerate() {
            let columns = block * values..source.width.min((block + 1) * values);
            for (row, words) in square.iter_mut().enumerate().take(rows) {
                let x = &source.row(half * 16 + row)[columns.clone()];
                // A whole block has a length the compiler knows.
                match x.len() {
                    32 if values == 32 => store(&x[..32], words),
                    16 if values == 16 => store(&x[..16], words),
                    _ => store(x, words),
                }
            }
            turn(&square, &mut lines[half..]);
        }
    }
}

/// Writes the columns of a square of words to every second line, as many as there are.
type Turn = fn(&[[u32; 16]; 16], &mut [Line]);

fn turn(level: KernelLevel) -> Turn {
    match level {
        #[cfg(target_arch = "x86_64")]
        level if level.has_avx512() => |square, lines| {
            // SAFETY: a level is active only when the processor has its instructions.
            spread(unsafe { super::avx512_pack::transpose(square) }, lines);
        },
        #[cfg(target_arch = "aarch64")]
        level if level.has_neon() => |square, lines| {
            // SAFETY: a level is active only when the processor has its instructions.
            spread(unsafe { super::neon_pack::transpose(square) }, lines);
        },
        _ => |square, lines| {
            for (column, line) in lines.iter_mut().step_by(LINES).enumerate() {
                for (row, word) in line.0.iter_mut().enumerate() {
                    *word = square[row][column];
                }
            }
        },
    }
}

/// Writes `turned` to every second line, as many as there are.
#[inline(always)]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn spread(turned: [Line; 16], lines: &mut [Line]) {
    lines.iter_mut().step_by(LINES).zip(turned).for_each(|(line, turned)| *line = turned);
}

#[inline(always)]
fn columns_full_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for (row, lines) in panel.as_chunks_mut::<LINES>().0.iter_mut().enumerate().take(source.rows) {
        let values = widened(source.row(row));
        for (half, line) in lines.iter_mut().enumerate() {
            for column in 0..16 {
                line.0[column] = values[half * 16 + column].to_bits();
            }
        }
    }
}

#[inline(always)]
fn columns_bf16_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for (step, lines) in panel.as_chunks_mut::<LINES>().0.iter_mut().enumerate() {
        let row = |row| if row < source.rows { source.row(row) } else { &[] };
        let (low, high) = (widened(row(2 * step)), widened(row(2 * step + 1)));
        for (half, line) in lines.iter_mut().enumerate() {
            for column in 0..16 {
                line.0[column] = bf16_pair(low[half * 16 + column], high[half * 16 + column]);
            }
        }
    }
}

/// The values of a row, zero up to a panel's width.
#[inline(always)]
pub(super) fn widened(row: &[f32]) -> [f32; PANEL] {
    if let Ok(whole) = row.try_into() {
        return whole;
    }
    let mut values = [0.0; PANEL];
    values[..row.len()].copy_from_slice(row);
    values
}
