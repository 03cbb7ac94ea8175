//! Register tiles of matrix products, one file per instruction set, and what feeds them.
//!
//! A product `C = A · Bᵀ` reads `A` row-major (`[rows, words]`) and `B` in panels of
//! [`PANEL`] of its rows, `[depth][PANEL]` words each. A word is an `f32`, or in bf16 a pair of
//! values with consecutive inner indices, the first in the low half. Each element of `C` is one
//! chain of multiply-adds along the inner index, whatever tile it falls in: that is what makes
//! results independent of batches and threads.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_gate;
#[cfg(target_arch = "x86_64")]
mod avx512_pack;
#[cfg(target_arch = "x86_64")]
mod avx512_weights;
mod gate;
mod key_tile;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_pack;
mod pack;
mod portable;
mod product;
mod running;
mod share;
mod split;
mod weights;
mod widen;

#[cfg(test)]
pub(crate) use gate::{Row, gate};
pub(crate) use key_tile::{BLOCK, KeyTile, attend};
pub(crate) use pack::{
    LINES, Line, Strided, Words, empty_panels, expect, load_bf16, load_row, pack_columns,
    pack_into, pack_matrix, pack_rows, store_bf16, store_columns, store_row, unpack_columns,
};
pub(crate) use product::{Panels, Rows, multiply_into};
pub(crate) use running::Running;
pub(crate) use share::{Weights, apply, apply_gated, apply_in_strips};
pub(crate) use split::SplitPanels;
pub(crate) use weights::{KEYS, ROWS, ScoreRows, Weighed, larger, weigh};

use crate::{KernelLevel, Precision};

/// Number of columns of a panel.
pub(crate) const PANEL: usize = 32;
/// Rows of the tallest tile of any level.
const TALLEST: usize = 32;
/// Most rows for which tiles widen bf16 numbers themselves where the processor multiplies only `f32`.
const WIDENED_BY_TILES: usize = 64;

/// One register tile: `rows × (panels · PANEL)` elements of `C`.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    /// Rows, at most [`Kernels::max_rows`].
    rows: usize,
    /// Rows of the tile before, whose set-up of the processor still holds; 0 where there is none.
    rows_before: usize,
    /// Steps along the inner index: words of `B` per column.
    depth: usize,
    /// Which part of the inner index the steps are.
    part: Part,
    /// [`Kernels::lines_aside`] lines for sums that leave the registers.
    sums: *mut Line,
    /// First word of the first row of `A`.
    a: *const u32,
    /// Words between two rows of `A`.
    a_stride: usize,
    /// First word of the first panel.
    b: *const u32,
    /// Words between two panels.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "one panel at a time"))]
    b_stride: usize,
    /// First element of the tile.
    c: *mut f32,
    /// Elements between two rows of `C`.
    c_stride: usize,
    /// Whether the sum is added to what `c` holds.
    accumulate: bool,
    /// One value per column to add at the end, or null.
    bias: *const f32,
    /// Whether the result is rounded to bf16.
    round: bool,
    /// Whether the sums of a last part are left in their lines, for the next tile to bring to their place.
    waits: bool,
    /// The tile before whose sums wait, or null.
    before: *const Tile,
    /// Lines that will be read soon, [`Kernels::lines_ahead`] of them; they need not be there.
    ahead: *const u32,
}

/// Where a run of steps stands among those that are summed in one chain.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Whether the sums begin with it; otherwise they go on from those put aside.
    first: bool,
    /// Whether the sums end with it; otherwise they are put aside.
    last: bool,
}

/// Computes one [`Tile`], and finishes the one before; the number of rows and panels is the function's.
///
/// # Safety
/// The tile's pointers must be valid for its shape, and the processor must have the instructions.
pub(crate) type TileKernel = unsafe fn(&Tile);

/// The tile kernels of one level and one precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernels {
    pub(crate) level: KernelLevel,
    pub(crate) precision: Precision,
}

impl Kernels {
    /// Most rows of one tile.
    pub(crate) fn max_rows(self) -> usize {
        match (self.level, self.precision) {
            (KernelLevel::AmxBf16, Precision::Bf16) => TALLEST,
            // beside more, what is widened has no registers
            (KernelLevel::Avx512, Precision::Bf16) => 9,
            (KernelLevel::AmxBf16 | KernelLevel::Avx512Bf16 | KernelLevel::Avx512, _) => 12,
            (KernelLevel::Neon, Precision::Bf16) => 5,
            (KernelLevel::Avx2 | KernelLevel::NeonBf16 | KernelLevel::Neon, _) => 6,
            (KernelLevel::Portable, _) => 4,
        }
    }

    /// How many panels a tile of `rows` rows takes at once, so that enough sums are under way.
    pub(crate) fn panels_at_once(self, rows: usize) -> usize {
        match (self.level, self.precision, rows) {
            (KernelLevel::AmxBf16, Precision::Bf16, 1..=16) => 2,
            (KernelLevel::AmxBf16, Precision::Bf16, _) => 1,
            (level, _, 1..=2) if level.has_avx512() => 4,
            (level, _, 3..=6) if level.has_avx512() => 2,
            _ => 1,
        }
    }

    /// Steps of one part of a chain of `steps` that every tile of a panel runs before any goes on:
    /// as many as keep the panel's words in the first cache.
    fn steps_of_a_part(self, steps: usize) -> usize {
        match (self.level, self.precision) {
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::AmxBf16, Precision::Bf16) => amx::steps_of_a_part(steps),
            _ => steps,
        }
    }

    /// Lines that the sums of a tile take outside the registers.
    fn lines_aside(self) -> usize {
        match (self.level, self.precision) {
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::AmxBf16, Precision::Bf16) => amx::SUMS,
            _ => 0,
        }
    }

    /// The kernel for `rows` rows, `panels` panels (1, or [`Self::panels_at_once`]) and `depth` steps.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_variables, reason = "one for all depths")
    )]
    fn tile(self, rows: usize, panels: usize, depth: usize) -> TileKernel {
        debug_assert!(panels == 1 || panels == self.panels_at_once(rows));
        match (self.level, self.precision) {
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::AmxBf16, Precision::Bf16) => amx::bf16_pairs(rows, panels, depth),
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::Avx512Bf16, Precision::Bf16) => avx512::bf16_pairs(rows, panels),
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::Avx512, Precision::Bf16) => avx512::bf16_widened(rows, panels),
            #[cfg(target_arch = "x86_64")]
            (level, Precision::F32) if level.has_avx512() => avx512::full(rows, panels),
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::Avx2, Precision::F32) => avx2::full(rows),
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::Avx2, Precision::Bf16) => avx2::bf16_widened(rows),
            #[cfg(target_arch = "aarch64")]
            (KernelLevel::NeonBf16, Precision::Bf16) => neon::bf16_pairs(rows),
            #[cfg(target_arch = "aarch64")]
            (KernelLevel::Neon, Precision::Bf16) => neon::bf16_widened(rows),
            #[cfg(target_arch = "aarch64")]
            (level, Precision::F32) if level.has_neon() => neon::full(rows),
            (_, Precision::F32) => portable::full(rows),
            (_, Precision::Bf16) => portable::bf16_widened(rows),
        }
    }

    /// Lines that a tile of `depth` steps asks for before they are needed.
    fn lines_ahead(self, depth: usize) -> usize {
        match (self.level, self.precision) {
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::AmxBf16, Precision::Bf16) => amx::lines_ahead(depth),
            // one a step: two tiles, or one of a panel that was widened, bring the next
            (level, _) if level.has_avx512() => depth,
            _ => 0,
        }
    }

    /// Whether the sums of a tile wait for the one that follows.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "none waits"))]
    fn sums_wait(self, tile: &Tile) -> bool {
        match (self.level, self.precision) {
            #[cfg(target_arch = "x86_64")]
            (KernelLevel::AmxBf16, Precision::Bf16) => amx::sums_wait(tile),
            _ => false,
        }
    }

    /// What is to be done after the last of several tiles, of which one may wait.
    ///
    /// # Safety
    /// As [`TileKernel`]; the kernel of the tile that waits must have been run.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "none waits"))]
    unsafe fn end(self, waiting: Option<&Tile>) {
        #[cfg(target_arch = "x86_64")]
        if (self.level, self.precision) == (KernelLevel::AmxBf16, Precision::Bf16) {
            // SAFETY: a level is active only when the processor has its instructions.
            unsafe {
                if let Some(tile) = waiting {
                    amx::finish_waiting(tile);
                }
                amx::release();
            }
        }
    }

    /// Most inputs summed before the sum is put aside in `C`, so that a block of `A` stays in cache.
    fn inner(self) -> usize {
        match (self.level, self.precision) {
            (KernelLevel::AmxBf16, Precision::Bf16) => 2048,
            _ => 1024,
        }
    }

    /// Whether a word of an input holds two values.
    pub(crate) fn takes_pairs(self) -> bool {
        self.precision == Precision::Bf16 && self.level.multiplies_bf16()
    }

    /// Whether panels of pairs are widened before they meet `rows` rows, not by every tile anew.
    fn widens(self, rows: usize) -> bool {
        self.words_per_step() == 2 && rows > WIDENED_BY_TILES
    }

    /// Words per column of a panel for `inner` values.
    pub(crate) fn depth(self, inner: usize) -> usize {
        match self.precision {
            Precision::F32 => inner,
            Precision::Bf16 => inner.div_ceil(2),
        }
    }

    /// Lines of a panel for `inner` values.
    pub(crate) fn panel_lines(self, inner: usize) -> usize {
        self.depth(inner) * LINES
    }

    /// Words of `A` per step of the depth: only the instructions for bf16 take pairs.
    pub(crate) fn words_per_step(self) -> usize {
        match self.precision {
            Precision::Bf16 if !self.level.multiplies_bf16() => 2,
            Precision::Bf16 | Precision::F32 => 1,
        }
    }

    /// Words of a row of `A` with `inner` values.
    pub(crate) fn row_words(self, inner: usize) -> usize {
        self.depth(inner) * self.words_per_step()
    }
}

/// Compiles one body for every level and calls the one asked for. The body is a function that is
/// always inlined and takes a constant: whether `mul_add` is one instruction.
macro_rules! for_each_level {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?
     = $body:ident) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        $vis fn $name(level: $crate::KernelLevel, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                $body::<true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                $body::<true>($($arg),*)
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                level if level.has_avx512() => {
                    // SAFETY: a level is active only when the processor has its instructions.
                    unsafe { avx512($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::KernelLevel::Avx2 => {
                    // SAFETY: a level is active only when the processor has its instructions.
                    unsafe { avx2($($arg),*) }
                }
                // The target's own instructions, the fused one among them.
                #[cfg(target_arch = "aarch64")]
                level if level.has_neon() => $body::<true>($($arg),*),
                _ => $body::<false>($($arg),*),
            }
        }
    };
}
pub(crate) use for_each_level;

/// `a · b + c`, in one rounding where the level has the instruction.
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
