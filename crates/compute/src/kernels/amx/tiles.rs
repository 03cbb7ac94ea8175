//! The kernels, one for each shape of tile.

use std::arch::asm;
use std::mem::MaybeUninit;

use super::finish::{expect_c, finish, finish_waiting};
use super::registers::{LOW, Places, TALL, WIDE, begin, configure, put_aside};
use super::runs::{Run, rest, whole};
use super::weave::weave;
use crate::kernels::Tile;

/// Steps of the depth: the instructions of one of them.
macro_rules! steps {
    ($name:ident, [$($step:literal),* $(,)?]) => {
        /// # Safety
        /// The run's words must be there, and the registers set up for them.
        #[inline(always)]
        pub(super) unsafe fn $name(run: Run) {
            if run.steps == 0 {
                return;
            }
            // SAFETY: the caller's; nothing else uses the registers.
            unsafe {
                asm!(
                    "2:",
                    $($step,)*
                    "add {a}, 64",
                    "add {a_next}, 64",
                    "add {b}, 2048",
                    "add {b_next}, 2048",
                    "add {ahead}, 256",
                    "dec {steps}",
                    "jnz 2b",
                    a = inout(reg) run.a[0] => _,
                    a_next = inout(reg) run.a[1] => _,
                    a_stride = in(reg) run.a_stride,
                    b = inout(reg) run.b[0] => _,
                    b_next = inout(reg) run.b[1] => _,
                    b_stride = in(reg) 128usize,
                    steps = inout(reg) run.steps => _,
                    ahead = inout(reg) run.ahead => _,
                    options(nostack),
                );
            }
        }
    };
}

/// A kernel that finishes what it makes: the places of its registers, and its steps.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $places:expr, $steps:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As [`TileKernel`](super::TileKernel).
        #[target_feature(enable = "avx512f,avx512bf16")]
        pub(super) unsafe fn $name(tile: &Tile) {
            // SAFETY: the caller gives the words of the tile, and of one that waits; a part before has put
            // the sums aside.
            unsafe {
                if let Some(before) = tile.before.as_ref() {
                    finish_waiting(before);
                }
                if tile.part.last {
                    expect_c(tile, $places.panels());
                }
                set_up(tile, $places);
                $steps(whole(tile));
                let mut room = MaybeUninit::uninit();
                if let Some(rest) = rest(tile, $places.panels(), &mut room) {
                    $steps(rest);
                }
                finish(tile, $places);
            }
        }
    };
}

/// Makes the registers those of the tile.
///
/// # Safety
/// As [`begin`].
#[inline]
unsafe fn set_up(tile: &Tile, places: Places) {
    // SAFETY: the caller's.
    unsafe {
        if tile.rows != tile.rows_before {
            configure(tile.rows);
        }
        begin(tile, places);
    }
}

kernel! {
    /// Up to 16 rows and one panel.
    low, LOW, low_steps
}

steps!(
    low_steps,
    [
        "tileloadd tmm4, [{a} + {a_stride}]",
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm1, tmm4, tmm7",
    ]
);

kernel! {
    /// Up to 16 rows and two panels.
    wide, WIDE, wide_steps
}

steps!(
    wide_steps,
    [
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
);

kernel! {
    /// 17 to 32 rows and one panel.
    high, TALL, high_steps
}

steps!(
    high_steps,
    [
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tileloadd tmm4, [{a} + {a_stride}]",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a_next} + {a_stride}]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
    ]
);

/// 17 to 32 rows and one panel of many steps. The rows pass by the first cache, which holds the panel
/// for the tiles that follow; the first steps take the sums of the tile before to their place.
///
/// # Safety
/// As [`TileKernel`](super::TileKernel).
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn deep(tile: &Tile) {
    // SAFETY: as for the other kernels.
    unsafe {
        set_up(tile, TALL);
        let mut run = whole(tile);
        if let Some(before) = tile.before.as_ref() {
            run = weave(run, before);
        }
        deep_steps(run);
        let mut room = MaybeUninit::uninit();
        if let Some(rest) = rest(tile, 1, &mut room) {
            deep_steps(rest);
        }
        if tile.waits { put_aside(tile, TALL) } else { finish(tile, TALL) }
    }
}

steps!(
    deep_steps,
    [
        "tileloadd tmm6, [{b} + {b_stride}]",
        "tileloaddt1 tmm4, [{a} + {a_stride}]",
        "prefetcht1 [{ahead}]",
        "prefetcht1 [{ahead} + 64]",
        "tileloadd tmm7, [{b} + {b_stride} + 64]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloaddt1 tmm5, [{a_next} + {a_stride}]",
        "prefetcht1 [{ahead} + 128]",
        "prefetcht1 [{ahead} + 192]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
    ]
);
