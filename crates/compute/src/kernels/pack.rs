//! Rows and panels in the layout the tiles read.

use super::{Kernels, PANEL, for_each_level};
use crate::precision::{bf16_pair, round_bf16};
use crate::{KernelLevel, Precision};

/// 16 words on a cache line of their own; two are one step of a panel.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; 16]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; 16]);
}

/// Lines of a panel's step.
pub(crate) const LINES: usize = PANEL / 16;

/// Writes `x` (`[inner]`) as a row of `A` (`[row_words(inner)]`).
pub(crate) fn store_row(kernels: Kernels, x: &[f32], words: &mut [u32]) {
    match (kernels.precision, kernels.level) {
        (Precision::F32, level) => store_full(level, x, words),
        (Precision::Bf16, KernelLevel::Avx512Bf16) => store_pairs(kernels.level, x, words),
        (Precision::Bf16, level) => store_rounded(level, x, words),
    }
}

for_each_level! { fn store_full(x: &[f32], words: &mut [u32]) = full_body }
for_each_level! { fn store_rounded(x: &[f32], words: &mut [u32]) = rounded_body }
for_each_level! { fn store_pairs(x: &[f32], words: &mut [u32]) = pairs_body }

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

/// Packs up to [`PANEL`] rows of `[inner]` values as the columns of one panel: each row `stride`
/// values after the one before, the inner index along the depth. Missing rows are zero.
pub(crate) fn pack_rows(kernels: Kernels, source: Strided<'_>, panel: &mut [Line]) {
    match kernels.precision {
        Precision::F32 => pack_rows_full(kernels.level, source, panel),
        Precision::Bf16 => pack_rows_bf16(kernels.level, source, panel),
    }
}

/// Packs rows of up to [`PANEL`] values as the steps of one panel: the row index along the depth.
/// Missing columns are zero, and in bf16 a missing last row.
pub(crate) fn pack_columns(kernels: Kernels, source: Strided<'_>, panel: &mut [Line]) {
    match kernels.precision {
        Precision::F32 => pack_columns_full(kernels.level, source, panel),
        Precision::Bf16 => pack_columns_bf16(kernels.level, source, panel),
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
    fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.width]
    }
}

for_each_level! { fn pack_rows_full(source: Strided<'_>, panel: &mut [Line]) = rows_full_body }
for_each_level! { fn pack_rows_bf16(source: Strided<'_>, panel: &mut [Line]) = rows_bf16_body }
for_each_level! { fn pack_columns_full(source: Strided<'_>, panel: &mut [Line]) = columns_full_body }
for_each_level! { fn pack_columns_bf16(source: Strided<'_>, panel: &mut [Line]) = columns_bf16_body }

#[inline(always)]
fn rows_full_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for half in 0..LINES {
        let rows = source.rows.saturating_sub(half * 16).min(16);
        if rows < 16 {
            panel.iter_mut().skip(half).step_by(LINES).for_each(|line| *line = Line::ZERO);
        }
        for row in 0..rows {
            let lines = panel.iter_mut().skip(half).step_by(LINES);
            for (line, x) in lines.zip(source.row(half * 16 + row)) {
                line.0[row] = x.to_bits();
            }
        }
    }
}

#[inline(always)]
fn rows_bf16_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for half in 0..LINES {
        let rows = source.rows.saturating_sub(half * 16).min(16);
        if rows < 16 {
            panel.iter_mut().skip(half).step_by(LINES).for_each(|line| *line = Line::ZERO);
        }
        for row in 0..rows {
            let (pairs, last) = source.row(half * 16 + row).as_chunks::<2>();
            let mut lines = panel.iter_mut().skip(half).step_by(LINES);
            for (&[low, high], line) in pairs.iter().zip(&mut lines) {
                line.0[row] = bf16_pair(low, high);
            }
            if let (&[last], Some(line)) = (last, lines.next()) {
                line.0[row] = bf16_pair(last, 0.0);
            }
        }
    }
}

#[inline(always)]
fn columns_full_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for (row, lines) in panel.chunks_exact_mut(LINES).enumerate().take(source.rows) {
        let words = lines.iter_mut().flat_map(|line| &mut line.0);
        if source.width < PANEL {
            let values = source.row(row).iter().map(|x| x.to_bits()).chain(std::iter::repeat(0));
            words.zip(values).for_each(|(word, value)| *word = value);
        } else {
            let (low, high) = source.row(row).split_at(16);
            full_body::<FUSED>(low, &mut lines[0].0);
            full_body::<FUSED>(high, &mut lines[1].0);
        }
    }
}

#[inline(always)]
fn columns_bf16_body<const FUSED: bool>(source: Strided<'_>, panel: &mut [Line]) {
    for (step, lines) in panel.chunks_exact_mut(LINES).enumerate().take(source.rows.div_ceil(2)) {
        let mut pair = [[0.0f32; PANEL]; 2];
        for (row, values) in (2 * step..source.rows).zip(&mut pair) {
            values[..source.width].copy_from_slice(source.row(row));
        }
        for (half, line) in lines.iter_mut().enumerate() {
            for column in 0..16 {
                let column_of = half * 16 + column;
                line.0[column] = bf16_pair(pair[0][column_of], pair[1][column_of]);
            }
        }
    }
}
