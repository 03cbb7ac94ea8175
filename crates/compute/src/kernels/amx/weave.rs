//! Steps of one tile with what is left to do for the tile before between them.

use std::arch::asm;
use std::arch::x86_64::{_mm512_loadu_ps, _mm512_set1_ps};

use super::finish::finish_rows;
use super::runs::Run;
use super::{SIDE, WORDS_AHEAD};
use crate::kernels::Tile;

/// Runs the first steps of [`deep`](super::tiles::deep), as many as half the rows of `before`, whose
/// sums wait, and takes them to their place meanwhile. Gives what is left to run.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel) for both tiles; the registers must be set up for the run's and
/// hold its sums so far.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn weave(run: Run, before: &Tile) -> Run {
    let steps = run.steps.min(before.rows / 2);
    // SAFETY: the caller's; as many steps belong to the run, and twice as many rows to the tile before.
    unsafe {
        match (before.accumulate, before.round) {
            _ if steps == 0 => {}
            (false, false) => plain(run, before, steps),
            (false, true) => rounded(run, before, steps),
            (true, false) => accumulated(run, before, steps),
            (true, true) => accumulated_rounded(run, before, steps),
        }
        finish_rows(before, 2 * steps, 1);
    }
    Run {
        a: run.a.map(|a| a.wrapping_add(steps * SIDE)),
        b: run.b.map(|b| b.wrapping_add(steps * SIDE * super::PANEL)),
        steps: run.steps - steps,
        ahead: run.ahead.wrapping_add(steps * WORDS_AHEAD),
        ..run
    }
}

/// Instructions that take one line of sums to its place, in one of four ways: the line's distance from
/// `s`, its place in `C`, and the register that holds the bias.
macro_rules! line {
    (plain, $s:literal, $c:literal, $bias:literal) => {
        concat!("vaddps zmm16, ", $bias, ", [{s} + ", $s, "]\n", "vmovups [", $c, "], zmm16")
    };
    (rounded, $s:literal, $c:literal, $bias:literal) => {
        concat!("vaddps zmm16, ", $bias, ", [{s} + ", $s, "]\n", line!(round, $c))
    };
    (accumulated, $s:literal, $c:literal, $bias:literal) => {
        concat!(line!(add, $s, $c, $bias), "\n", "vmovups [", $c, "], zmm16")
    };
    (accumulated_rounded, $s:literal, $c:literal, $bias:literal) => {
        concat!(line!(add, $s, $c, $bias), "\n", line!(round, $c))
    };
    (add, $s:literal, $c:literal, $bias:literal) => {
        concat!(
            "vmovaps zmm16, [{s} + ",
            $s,
            "]\n",
            "vaddps zmm16, zmm16, [",
            $c,
            "]\n",
            "vaddps zmm16, zmm16, ",
            $bias,
        )
    };
    (round, $c:literal) => {
        concat!(
            "vcvtneps2bf16 ymm16, zmm16\n",
            "vpmovzxwd zmm16, ymm16\n",
            "vpslld zmm16, zmm16, 16\n",
            "vmovups [",
            $c,
            "], zmm16",
        )
    };
}

macro_rules! weave {
    ($name:ident) => {
        /// The woven steps for one way of finishing.
        ///
        /// # Safety
        /// As [`weave`]; there must be `steps` steps, at least one, and twice as many rows of `before`.
        #[target_feature(enable = "avx512f,avx512bf16")]
        unsafe fn $name(run: Run, before: &Tile, steps: usize) {
            // without a bias nothing is added: `x + -0.0` is `x`, zeros of both signs included
            let bias = |line: usize| match before.bias.is_null() {
                true => _mm512_set1_ps(-0.0),
                // SAFETY: a bias has every column of the tile.
                false => unsafe { _mm512_loadu_ps(before.bias.add(line * SIDE)) },
            };
            // SAFETY: the caller's; nothing else uses the tile registers.
            unsafe {
                asm!(
                    "2:",
                    "tileloadd tmm6, [{b} + {b_stride}]",
                    "tileloaddt1 tmm4, [{a} + {a_stride}]",
                    line!($name, "0", "{c}", "zmm17"),
                    "prefetcht1 [{ahead}]",
                    "tileloadd tmm7, [{b} + {b_stride} + 64]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    line!($name, "64", "{c} + 64", "zmm18"),
                    "prefetcht1 [{ahead} + 64]",
                    "tileloaddt1 tmm5, [{a_next} + {a_stride}]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    line!($name, "128", "{c} + {c_stride}", "zmm17"),
                    "prefetcht1 [{ahead} + 128]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    line!($name, "192", "{c} + {c_stride} + 64", "zmm18"),
                    "prefetcht1 [{ahead} + 192]",
                    "lea {c}, [{c} + 2*{c_stride}]",
                    "add {s}, 256",
                    "add {ahead}, 256",
                    "add {a}, 64",
                    "add {a_next}, 64",
                    "add {b}, 2048",
                    "dec {steps}",
                    "jnz 2b",
                    a = inout(reg) run.a[0] => _,
                    a_next = inout(reg) run.a[1] => _,
                    a_stride = in(reg) run.a_stride,
                    b = inout(reg) run.b[0] => _,
                    b_stride = in(reg) 128usize,
                    ahead = inout(reg) run.ahead => _,
                    s = inout(reg) before.sums => _,
                    c = inout(reg) before.c => _,
                    c_stride = in(reg) 4 * before.c_stride,
                    steps = inout(reg) steps => _,
                    in("zmm17") bias(0),
                    in("zmm18") bias(1),
                    out("zmm16") _,
                    options(nostack),
                );
            }
        }
    };
}

weave!(plain);
weave!(rounded);
weave!(accumulated);
weave!(accumulated_rounded);
