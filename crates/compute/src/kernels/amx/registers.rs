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

/// Where each register of sums begins in the lines of a tile, row after row, and bytes between two rows.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) lines: [usize; 4],
    pub(super) row: usize,
}

/// Two registers of rows against one panel.
pub(super) const TALL: Places = {
    let below = SIDE * LINES;
    Places { lines: [0, 1, below, below + 1], row: LINES * size_of::<Line>() }
};
/// One register of rows against two panels.
pub(super) const WIDE: Places = Places { lines: [0, 1, 2, 3], row: 2 * LINES * size_of::<Line>() };

/// Makes the registers of sums zero, or what the part before put aside.
///
/// # Safety
/// The processor must have the instructions; after a first part, the sums must have been put aside.
#[inline]
pub(super) unsafe fn begin(tile: &Tile, places: Places) {
    // SAFETY: the caller's.
    unsafe {
        if tile.part.first {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nomem, nostack),
            );
        } else {
            let sums = |register: usize| tile.sums.wrapping_add(places.lines[register]);
            asm!(
                "tileloadd tmm0, [{first} + {stride}]",
                "tileloadd tmm1, [{second} + {stride}]",
                "tileloadd tmm2, [{third} + {stride}]",
                "tileloadd tmm3, [{fourth} + {stride}]",
                first = in(reg) sums(0),
                second = in(reg) sums(1),
                third = in(reg) sums(2),
                fourth = in(reg) sums(3),
                stride = in(reg) places.row,
                options(nostack),
            );
        }
    }
}

/// Writes the four registers of sums to where each begins, rows `stride` bytes apart.
///
/// # Safety
/// All rows of the registers must be there to be written, and the registers hold the sums.
#[inline]
pub(super) unsafe fn store_registers(places: [*mut f32; 4], stride: usize) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "tilestored [{first} + {stride}], tmm0",
            "tilestored [{second} + {stride}], tmm1",
            "tilestored [{third} + {stride}], tmm2",
            "tilestored [{fourth} + {stride}], tmm3",
            first = in(reg) places[0],
            second = in(reg) places[1],
            third = in(reg) places[2],
            fourth = in(reg) places[3],
            stride = in(reg) stride,
            options(nostack),
        );
    }
}

/// Puts the sums aside.
///
/// # Safety
/// As [`store_registers`], for the tile's lines.
#[inline]
pub(super) unsafe fn put_aside(tile: &Tile, places: Places) {
    let lines = places.lines.map(|line| tile.sums.wrapping_add(line).cast());
    // SAFETY: the caller's.
    unsafe { store_registers(lines, places.row) }
}
