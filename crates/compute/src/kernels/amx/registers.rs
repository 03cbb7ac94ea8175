//! The tile registers: their set-up, and the sums' way into and out of them.

use std::arch::asm;

use super::{LINES, MAX_ROWS, SIDE};
use crate::kernels::{Line, Tile};

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each tile register.
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// By number of rows of the tile. Registers 0 to 3 hold sums, 4 and 5 words of `A`, 6 and 7 words of
/// `B`; 2, 3 and 5 hold the rows from [`SIDE`] on, where there are any.
static CONFIGS: [Config; MAX_ROWS + 1] = {
    const NONE: Config =
        Config { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
    let mut configs = [NONE; MAX_ROWS + 1];
    let mut rows = 1;
    while rows <= MAX_ROWS {
        let low = if rows < SIDE { rows } else { SIDE } as u8;
        let high = if rows > SIDE { (rows - SIDE) as u8 } else { low };
        let side = SIDE as u8;
        let mut register = 0;
        while register < 8 {
            configs[rows].bytes[register] = 4 * SIDE as u16;
            configs[rows].rows[register] = [low, low, high, high, low, high, side, side][register];
            register += 1;
        }
        rows += 1;
    }
    configs
};

/// Makes the registers those of `rows` rows.
///
/// # Safety
/// The processor must have the instructions.
#[inline]
pub(super) unsafe fn configure(rows: usize) {
    // SAFETY: the caller's; what is read is a configuration the instruction takes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGS[rows], options(nostack)) }
}

/// Gives the tile registers back, so that a change of threads need not save them.
///
/// # Safety
/// The processor must have the instructions.
pub(in super::super) unsafe fn release() {
    // SAFETY: the caller's.
    unsafe { asm!("tilerelease", options(nomem, nostack)) }
}

/// Where each register of sums begins in a tile.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// Lines before it, counted row after row.
    lines: [usize; 4],
    /// Lines of a row.
    row: usize,
    /// Registers in use, the first ones.
    count: usize,
}

/// One register of rows against one panel.
pub(super) const LOW: Places = Places { lines: [0, 1, 0, 0], row: LINES, count: 2 };
/// One register of rows against two panels.
pub(super) const WIDE: Places = Places { lines: [0, 1, 2, 3], row: 2 * LINES, count: 4 };
/// Two registers of rows against one panel.
pub(super) const TALL: Places = {
    let below = SIDE * LINES;
    Places { lines: [0, 1, below, below + 1], row: LINES, count: 4 }
};

impl Places {
    /// Panels of a tile.
    pub(super) const fn panels(self) -> usize {
        self.row / LINES
    }

    /// Where the registers begin in the lines for sums, and bytes between two rows there.
    #[inline(always)]
    fn aside(self, tile: &Tile) -> ([*mut f32; 4], usize) {
        let lines = self.lines.map(|line| tile.sums.wrapping_add(line).cast());
        (lines, self.row * size_of::<Line>())
    }

    /// The same in rows that begin at `c`, `stride` numbers apart.
    #[inline(always)]
    fn in_rows(self, c: *mut f32, stride: usize) -> ([*mut f32; 4], usize) {
        let place = |line: usize| {
            let (row, line) = (line / self.row, line % self.row);
            c.wrapping_add(row * stride + line * SIDE)
        };
        (self.lines.map(place), size_of::<f32>() * stride)
    }

    /// Makes the sums what rows hold that begin at `c`, `stride` numbers apart.
    ///
    /// # Safety
    /// The registers must be set up, and the rows have every column of them.
    #[inline(always)]
    pub(super) unsafe fn load(self, c: *mut f32, stride: usize) {
        // SAFETY: the caller's.
        unsafe { load_registers(self.in_rows(c, stride), self.count) }
    }

    /// Writes the sums to such rows.
    ///
    /// # Safety
    /// As [`load`](Self::load); the registers must hold the sums.
    #[inline(always)]
    pub(super) unsafe fn store(self, c: *mut f32, stride: usize) {
        // SAFETY: the caller's.
        unsafe { store_registers(self.in_rows(c, stride), self.count) }
    }
}

/// Makes the registers of sums zero, or what they are to be added to: what the part before put aside, or
/// what `C` holds.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel); after a first part, the sums must have been put aside.
#[inline(always)]
pub(super) unsafe fn begin(tile: &Tile, places: Places) {
    // SAFETY: the caller's.
    unsafe {
        if !tile.part.first {
            load_registers(places.aside(tile), places.count);
        } else if super::goes_on(tile) {
            places.load(tile.c, tile.c_stride);
        } else {
            zero();
        }
    }
}

/// Makes the registers of sums zero.
///
/// # Safety
/// The registers must be set up.
#[inline(always)]
pub(super) unsafe fn zero() {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            options(nomem, nostack),
        );
    }
}

/// Puts the sums aside.
///
/// # Safety
/// The registers must hold the sums.
#[inline(always)]
pub(super) unsafe fn put_aside(tile: &Tile, places: Places) {
    // SAFETY: the tile's lines have room for every register.
    unsafe { store_registers(places.aside(tile), places.count) }
}

/// A function that moves the first `count` registers of sums, two or four, by the instruction of each.
macro_rules! move_registers {
    ($(#[$doc:meta])* $name:ident, [$first:literal, $second:literal, $third:literal, $fourth:literal]) => {
        $(#[$doc])*
        #[inline(always)]
        unsafe fn $name(([a, b, c, d], stride): ([*mut f32; 4], usize), count: usize) {
            // SAFETY: the caller's.
            unsafe {
                asm!($first, place = in(reg) a, stride = in(reg) stride, options(nostack));
                asm!($second, place = in(reg) b, stride = in(reg) stride, options(nostack));
                if count > 2 {
                    asm!($third, place = in(reg) c, stride = in(reg) stride, options(nostack));
                    asm!($fourth, place = in(reg) d, stride = in(reg) stride, options(nostack));
                }
            }
        }
    };
}

move_registers! {
    /// Reads them from where each begins, rows `stride` bytes apart.
    ///
    /// # Safety
    /// All rows of the registers must be there to be read.
    load_registers, [
        "tileloadd tmm0, [{place} + {stride}]",
        "tileloadd tmm1, [{place} + {stride}]",
        "tileloadd tmm2, [{place} + {stride}]",
        "tileloadd tmm3, [{place} + {stride}]"
    ]
}

move_registers! {
    /// Writes them to where each begins, rows `stride` bytes apart.
    ///
    /// # Safety
    /// All rows of the registers must be there to be written, and the registers hold the sums.
    store_registers, [
        "tilestored [{place} + {stride}], tmm0",
        "tilestored [{place} + {stride}], tmm1",
        "tilestored [{place} + {stride}], tmm2",
        "tilestored [{place} + {stride}], tmm3"
    ]
}
