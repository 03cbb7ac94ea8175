//! Tiles of up to 32 × 32 elements for the matrix unit (AMX) of server processors: four registers of
//! 16 × 16 sums, which one instruction feeds with 16 words of the depth at once.
//!
//! What sums go through on their way out of the registers costs as much as half of what makes them. So
//! a tile of many steps leaves its sums in memory, and the next one takes them to their place between
//! its own steps, where the processor has nothing to do but wait for the matrix unit.

mod attention;
mod finish;
mod registers;
mod runs;
mod tiles;
mod weave;

use super::pack::LINES;
use super::{PANEL, Tile, TileKernel};

pub(super) use attention::attend;
pub(super) use finish::finish_waiting;
pub(super) use registers::release;

/// Rows of `A`, columns of `B` and words of the depth of one tile register.
const SIDE: usize = 16;
/// Rows of the largest tile: two registers of `A`.
const MAX_ROWS: usize = 2 * SIDE;
const _: () = assert!(MAX_ROWS == super::TALLEST && PANEL == 2 * SIDE);

/// Most steps of a part: the panel's words, 36 KiB, and the sums on their way out of the registers fit
/// the first cache of 48 KiB. The rows are read past it.
const PART: usize = 18 * SIDE;
/// Lines of the sums of four registers.
pub(super) const SUMS: usize = 4 * SIDE;

/// Parts as even as they go in whole tiles of the depth.
pub(super) fn steps_of_a_part(steps: usize) -> usize {
    let parts = steps.div_ceil(PART).max(1);
    steps.div_ceil(parts).next_multiple_of(SIDE)
}

/// Whether the processor multiplies tiles of bf16 and the system lets this process do it.
pub(crate) fn is_available() -> bool {
    // bits of leaf 7: AMX-BF16 and AMX-TILE
    const WANTED: u32 = 1 << 22 | 1 << 24;
    let leaves = std::arch::x86_64::__cpuid(0).eax;
    leaves >= 7 && std::arch::x86_64::__cpuid_count(7, 0).edx & WANTED == WANTED && permitted()
}

/// Asks the system for the tile registers, which a process does not have unasked.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory; a kernel without it refuses.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// Words of the panel that follows which a step asks for, four lines: they come from the third cache or
/// from memory, and the first tile of a panel would wait for them.
const WORDS_AHEAD: usize = 4 * 16;

/// Lines that a tile of `depth` steps asks for.
pub(super) fn lines_ahead(depth: usize) -> usize {
    depth / SIDE * WORDS_AHEAD / 16
}

/// From as many steps on the rows of `A` pass by the first cache, and the sums wait for the next tile.
const DEEP: usize = 8 * SIDE;

/// Whether the sums go on from what `C` holds: those of few steps, which `C` would be added to in a loop as
/// long as theirs.
fn goes_on(tile: &Tile) -> bool {
    tile.accumulate && tile.part.first && tile.part.last && tile.depth < DEEP
}

/// The kernel for `rows` rows, `panels` panels and `depth` steps: two registers of `A` against one
/// panel, or one against one or two.
pub(super) fn bf16_pairs(rows: usize, panels: usize, depth: usize) -> TileKernel {
    match (rows, panels) {
        (1..=SIDE, 1) => tiles::low,
        (1..=SIDE, 2) => tiles::wide,
        (..=MAX_ROWS, 1) if depth < DEEP => tiles::high,
        (..=MAX_ROWS, 1) => tiles::deep,
        shape => unreachable!("no AMX tile of {shape:?}"),
    }
}

/// Whether the sums of a tile are left to the one that follows: of a last part of many steps.
pub(super) fn sums_wait(tile: &Tile) -> bool {
    tile.part.last && tile.rows > SIDE && tile.depth >= DEEP
}
