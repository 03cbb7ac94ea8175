//! Tiles of up to 32 × 32 elements for the matrix unit (AMX) of server processors: four tiles of
//! 16 × 16 sums, which one instruction feeds with 16 words of the depth at once.

use std::arch::asm;
use std::arch::x86_64::{
    _MM_HINT_ET0, _mm_prefetch, _mm512_add_ps, _mm512_load_ps, _mm512_loadu_ps, _mm512_storeu_ps,
};
use std::mem::MaybeUninit;

use super::avx512::round_normal;
use super::pack::LINES;
use super::{Line, PANEL, Tile, TileKernel};

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

/// From as many steps on the rows of `A` pass by the first cache.
const DEEP: usize = 8 * SIDE;

/// The kernel for `rows` rows, `panels` panels and `depth` steps: two registers of `A` against one
/// panel, or one against one or two.
pub(super) fn bf16_pairs(rows: usize, panels: usize, depth: usize) -> TileKernel {
    match (rows, panels) {
        (1..=SIDE, 1) => low,
        (1..=SIDE, 2) => wide,
        (..=MAX_ROWS, 1) if depth < DEEP => high,
        (..=MAX_ROWS, 1) => deep,
        shape => unreachable!("no AMX tile of {shape:?}"),
    }
}

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
unsafe fn configure(rows: usize) {
    // SAFETY: the caller's; what is read is a configuration the instruction takes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGS[rows], options(nostack)) }
}

/// Gives the tile registers back, so that a change of threads need not save them.
///
/// # Safety
/// The processor must have the instructions.
pub(super) unsafe fn release() {
    // SAFETY: the caller's.
    unsafe { asm!("tilerelease", options(nomem, nostack)) }
}

/// Where the words of one run along the depth begin.
#[derive(Clone, Copy)]
#[repr(C)]
struct Run {
    /// First word of the rows, and of those from [`SIDE`] on.
    a: [*const u32; 2],
    /// Bytes between two rows.
    a_stride: usize,
    /// First word of the panel, and of the next one.
    b: [*const u32; 2],
    /// Whole tiles of the depth.
    steps: usize,
}

/// Row and column of the tile where each register of sums begins.
type Places = [(usize, usize); 4];

/// Room for the words of a last, shorter tile of the depth, filled up with zeros.
struct Rest {
    a: [Line; MAX_ROWS],
    b: [[Line; SIDE * LINES]; 2],
}

/// The whole tiles of the depth, and what is left of it.
///
/// # Safety
/// The tile's words of `panels` panels must be there.
#[inline]
unsafe fn runs(tile: &Tile, panels: usize, rest: &mut MaybeUninit<Rest>) -> [Run; 2] {
    let (steps, left) = (tile.depth / SIDE, tile.depth % SIDE);
    let next = |a: *const u32, stride: usize| [a, a.wrapping_add(SIDE * stride)];
    let whole = Run {
        a: next(tile.a, tile.a_stride),
        a_stride: 4 * tile.a_stride,
        b: [tile.b, tile.b.wrapping_add(tile.b_stride)],
        steps,
    };
    if left == 0 {
        return [whole, Run { steps: 0, ..whole }];
    }
    let rest = rest.write(Rest { a: [Line::ZERO; _], b: [[Line::ZERO; _]; 2] });
    // SAFETY: `left` words from the last whole tile on belong to every row, and as many steps to
    // every panel; a line has 16 words and a panel of the rest 16 steps.
    unsafe {
        for (row, line) in rest.a.iter_mut().enumerate().take(tile.rows) {
            let words = tile.a.add(row * tile.a_stride + steps * SIDE);
            line.0.as_mut_ptr().copy_from_nonoverlapping(words, left);
        }
        for (panel, lines) in rest.b.iter_mut().enumerate().take(panels) {
            let words = tile.b.add(panel * tile.b_stride + steps * SIDE * PANEL);
            lines.as_mut_ptr().cast::<u32>().copy_from_nonoverlapping(words, left * PANEL);
        }
    }
    let last = Run {
        a: next(rest.a.as_ptr().cast(), SIDE),
        a_stride: size_of::<Line>(),
        b: [rest.b[0].as_ptr().cast(), rest.b[1].as_ptr().cast()],
        steps: 1,
    };
    [whole, last]
}

/// Asks for the tile's elements of `C`, which are needed once the sums are done.
#[inline]
#[target_feature(enable = "avx512f")]
fn expect_c(tile: &Tile, panels: usize) {
    for row in 0..tile.rows {
        for line in 0..panels * LINES {
            let c = tile.c.wrapping_add(row * tile.c_stride + line * SIDE);
            _mm_prefetch::<_MM_HINT_ET0>(c.cast());
        }
    }
}

/// Makes the registers of sums zero, or what the part before put aside.
///
/// # Safety
/// The processor must have the instructions; after a first part, the sums must have been put aside.
#[inline]
unsafe fn begin(tile: &Tile) {
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
            asm!(
                "tileloadd tmm0, [{sums} + {stride}]",
                "tileloadd tmm1, [{sums} + {stride} + 1024]",
                "tileloadd tmm2, [{sums} + {stride} + 2048]",
                "tileloadd tmm3, [{sums} + {stride} + 3072]",
                sums = in(reg) tile.sums,
                stride = in(reg) size_of::<Line>(),
                options(nostack),
            );
        }
    }
}

/// Puts the sums aside, or after the last part adds what `C` held and the bias, rounds, and stores.
/// With `DIRECT`, which all four registers must lie in the tile for, sums that need no more are written
/// from the registers: where they are few, the way through their lines is half the work.
///
/// # Safety
/// As [`TileKernel`]; the registers must hold the sums.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn finish<const DIRECT: bool>(tile: &Tile, places: &Places) {
    let (accumulate, bias, round) = (tile.accumulate, !tile.bias.is_null(), tile.round);
    if DIRECT && tile.part.last && !accumulate && !bias && !round {
        let into =
            |(row, column): (usize, usize)| tile.c.wrapping_add(row * tile.c_stride + column);
        // SAFETY: `C` has every row and column of the registers.
        return unsafe { store_registers(places.map(into), tile.c_stride) };
    }
    let lines = [0, 1, 2, 3].map(|register| tile.sums.wrapping_add(register * SIDE).cast());
    // SAFETY: the lines for the sums have room for all registers.
    unsafe { store_registers(lines, SIDE) }
    if !tile.part.last {
        return;
    }
    let store = match (accumulate, bias, round) {
        (false, false, false) => store::<false, false, false>,
        (false, false, true) => store::<false, false, true>,
        (false, true, false) => store::<false, true, false>,
        (false, true, true) => store::<false, true, true>,
        (true, false, false) => store::<true, false, false>,
        (true, false, true) => store::<true, false, true>,
        (true, true, false) => store::<true, true, false>,
        (true, true, true) => store::<true, true, true>,
    };
    // SAFETY: the caller's.
    unsafe { store(tile, places) }
}

/// Writes the four registers of sums to where each begins, rows `stride` elements apart.
///
/// # Safety
/// All rows of the registers must be there to be written, and the registers hold the sums.
#[inline]
unsafe fn store_registers(places: [*mut f32; 4], stride: usize) {
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
            stride = in(reg) 4 * stride,
            options(nostack),
        );
    }
}

/// [`finish`] for one case.
///
/// # Safety
/// As [`finish`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn store<const ACCUMULATE: bool, const BIAS: bool, const ROUND: bool>(
    tile: &Tile,
    places: &Places,
) {
    for (register, &(first, column)) in places.iter().enumerate() {
        for row in first..tile.rows.min(first + SIDE) {
            // SAFETY: `C` and the bias have every row and column of the tile, the sums every row.
            unsafe {
                let line = tile.sums.add(register * SIDE + row - first);
                let mut sum = _mm512_load_ps(line.cast());
                let c = tile.c.add(row * tile.c_stride + column);
                if ACCUMULATE {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(c));
                }
                if BIAS {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias.add(column)));
                }
                _mm512_storeu_ps(c, if ROUND { round_normal(sum) } else { sum });
            }
        }
    }
}

/// A kernel: its panels, whether sums go from the registers into `C` where nothing else is to be done,
/// where the four registers' sums begin in the tile (row, column), and the instructions of one step of
/// the depth.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $panels:literal, $direct:literal, $places:expr, [$($step:literal),* $(,)?]) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As [`TileKernel`].
        #[target_feature(enable = "avx512f,avx512bf16")]
        unsafe fn $name(tile: &Tile) {
            let mut rest = MaybeUninit::uninit();
            // SAFETY: the caller gives the words of the tile.
            let runs = unsafe { runs(tile, $panels, &mut rest) };
            if tile.part.last {
                expect_c(tile, $panels);
            }
            if tile.rows != tile.rows_before {
                // SAFETY: the caller gives a processor with the instructions.
                unsafe { configure(tile.rows) };
            }
            // SAFETY: the runs' words are there; a part before has put the sums aside; nothing else uses
            // the registers.
            unsafe {
                begin(tile);
                asm!(
                    "mov {b_stride:e}, 128",
                    "2:",
                    "mov {a}, [{run}]",
                    "mov {a_next}, [{run} + 8]",
                    "mov {a_stride}, [{run} + 16]",
                    "mov {b}, [{run} + 24]",
                    "mov {b_next}, [{run} + 32]",
                    "mov {steps}, [{run} + 40]",
                    "test {steps}, {steps}",
                    "jz 4f",
                    "3:",
                    $($step,)*
                    "add {a}, 64",
                    "add {a_next}, 64",
                    "add {b}, 2048",
                    "add {b_next}, 2048",
                    "dec {steps}",
                    "jnz 3b",
                    "4:",
                    "add {run}, 48",
                    "cmp {run}, {end}",
                    "jne 2b",
                    run = inout(reg) runs.as_ptr() => _,
                    end = in(reg) runs.as_ptr_range().end,
                    a = out(reg) _,
                    a_next = out(reg) _,
                    a_stride = out(reg) _,
                    b = out(reg) _,
                    b_next = out(reg) _,
                    b_stride = out(reg) _,
                    steps = out(reg) _,
                    options(nostack),
                );
                finish::<$direct>(tile, &$places);
            }
        }
    };
}

kernel! {
    /// Up to 16 rows and one panel.
    low, 1, false, [(0, 0), (0, 16), (SIDE, 0), (SIDE, 16)], [
        "tileloadd tmm4, [{a} + {a_stride}]",
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm1, tmm4, tmm7",
    ]
}

kernel! {
    /// Up to 16 rows and two panels.
    wide, 2, true, [(0, 0), (0, 16), (0, 32), (0, 48)], [
        "tileloadd tmm4, [{a} + {a_stride}]",
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tileloadd tmm6, [{b_next} + {b_stride}]",
        "tdpbf16ps tmm2, tmm4, tmm6",
        "tileloadd tmm7, [{b_next} + {b_stride} + 64]",
        "tdpbf16ps tmm3, tmm4, tmm7",
    ]
}

kernel! {
    /// 17 to 32 rows and one panel.
    high, 1, true, [(0, 0), (0, 16), (SIDE, 0), (SIDE, 16)], [
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tileloadd tmm4, [{a} + {a_stride}]",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a_next} + {a_stride}]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
    ]
}

kernel! {
    /// 17 to 32 rows and one panel of many steps. The rows pass by the first cache, which holds the
    /// panel for the tiles that follow.
    deep, 1, false, [(0, 0), (0, 16), (SIDE, 0), (SIDE, 16)], [
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tileloaddt1 tmm4, [{a} + {a_stride}]",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloaddt1 tmm5, [{a_next} + {a_stride}]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
    ]
}
