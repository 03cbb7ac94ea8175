//! What the processor and its memory can do at most: loops that touch registers alone, and a sum
//! over more memory than the caches hold.

use std::hint::black_box;

use rayon::prelude::*;

use crate::timing::Bench;

/// Multiply-adds under way at a time: more than the latency of one.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 20;
/// Rounds of all chains per run.
#[cfg(target_arch = "x86_64")]
const ROUNDS: usize = 1_000_000;
/// Bytes read per run.
const BYTES: usize = 512 << 20;

pub(crate) fn run(bench: &Bench) {
    #[cfg(target_arch = "x86_64")]
    arithmetic(bench);
    if bench.wants("peak memory") {
        let words = vec![1u64; BYTES / 8];
        bench.case("peak memory", 0.0, BYTES as f64, || {
            let pieces = black_box(&words).par_chunks(1 << 20);
            black_box(pieces.map(|piece| piece.iter().sum::<u64>()).sum::<u64>());
        });
    }
}

/// One loop per thread, at the instructions of the active level.
#[cfg(target_arch = "x86_64")]
fn arithmetic(bench: &Bench) {
    use compute::KernelLevel::{AmxBf16, Avx2, Avx512, Avx512Bf16, Portable};
    let threads = rayon::current_num_threads() as f64;
    let flops = |lanes: f64| 2.0 * lanes * (CHAINS * ROUNDS) as f64 * threads;
    let each = |work: unsafe fn()| {
        move || {
            // SAFETY: the caller names a loop whose instructions the active level has.
            rayon::broadcast(|_| unsafe { work() });
        }
    };
    match compute::KernelLevel::active() {
        AmxBf16 => {
            // 16 x 16 sums of 32 products each
            bench.case("peak bf16", flops(16.0 * 16.0 * 32.0), 0.0, each(amx));
            bench.case("peak f32", flops(16.0), 0.0, each(avx512));
        }
        Avx512Bf16 => {
            bench.case("peak bf16", flops(32.0), 0.0, each(bf16_pairs));
            bench.case("peak f32", flops(16.0), 0.0, each(avx512));
        }
        Avx512 => bench.case("peak f32", flops(16.0), 0.0, each(avx512)),
        Avx2 => bench.case("peak f32", flops(8.0), 0.0, each(avx2)),
        Portable => {}
    }
}

/// # Safety
/// The processor must have AMX with bf16, and the process the right to use it.
#[cfg(target_arch = "x86_64")]
unsafe fn amx() {
    // palette 1; 64 bytes in every row of eight registers; 16 rows each
    #[repr(align(64))]
    struct Config([u8; 64]);
    let mut config = Config([0; 64]);
    config.0[0] = 1;
    (0..8).for_each(|register| config.0[16 + 2 * register] = 64);
    config.0[48..56].fill(16);
    // SAFETY: the registers are configured, filled with zeros and given back.
    unsafe {
        std::arch::asm!(
            "ldtilecfg [{config}]",
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "dec {rounds}",
            "jnz 2b",
            "tilerelease",
            config = in(reg) &raw const config,
            rounds = inout(reg) CHAINS * ROUNDS / 4 => _,
            options(nostack),
        );
    }
}

/// # Safety
/// The processor must have AVX-512 with bf16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16_pairs() {
    use std::arch::x86_64::{__m512bh, _mm512_dpbf16_ps, _mm512_set1_epi32, _mm512_set1_ps};
    // SAFETY: both types are 64 bytes without invalid values.
    let x: __m512bh = unsafe { std::mem::transmute(_mm512_set1_epi32(black_box(0x3C00_3C00))) };
    let mut sums = [_mm512_set1_ps(1.0); CHAINS];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, x, x));
    }
    black_box(sums);
}

/// # Safety
/// The processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512() {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let (x, y) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    let mut sums = [_mm512_set1_ps(1.0); CHAINS];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(*sum, x, y));
    }
    black_box(sums);
}

/// # Safety
/// The processor must have AVX2 with fused multiply-add.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2() {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let (x, y) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
    let mut sums = [_mm256_set1_ps(1.0); 12];
    for _ in 0..ROUNDS * CHAINS / 12 {
        sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(*sum, x, y));
    }
    black_box(sums);
}
