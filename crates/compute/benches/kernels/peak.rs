//! What the processor and its memory can do at most: loops that touch registers alone, and a sum
//! over more memory than the caches hold.

use std::hint::black_box;

use compute::KernelLevel;
use rayon::prelude::*;

use crate::timing::Bench;

/// Multiply-adds under way at a time: more than the latency of one.
const CHAINS: usize = 20;
/// Rounds of all chains per run.
const ROUNDS: usize = 1_000_000;
/// Bytes read per run.
const BYTES: usize = 512 << 20;

pub(crate) fn run(bench: &Bench) {
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
fn arithmetic(bench: &Bench) {
    let threads = rayon::current_num_threads() as f64;
    for &(name, products, work) in loops(KernelLevel::active()) {
        let flops = 2.0 * products * (CHAINS * ROUNDS) as f64 * threads;
        bench.case(name, flops, 0.0, || {
            // SAFETY: the active level has the instructions of its loops.
            rayon::broadcast(|_| unsafe { work() });
        });
    }
}

/// The loops of a level: name of the case, products of one instruction, code. None in plain Rust.
type Loops = &'static [(&'static str, f64, unsafe fn())];

#[cfg(target_arch = "x86_64")]
fn loops(level: KernelLevel) -> Loops {
    match level {
        // 16 x 16 sums of 32 products each
        KernelLevel::AmxBf16 => {
            &[("peak bf16", 16.0 * 16.0 * 32.0, amx), ("peak f32", 16.0, avx512)]
        }
        KernelLevel::Avx512Bf16 => &[("peak bf16", 32.0, bf16_pairs), ("peak f32", 16.0, avx512)],
        KernelLevel::Avx512 => &[("peak f32", 16.0, avx512)],
        KernelLevel::Avx2 => &[("peak f32", 8.0, avx2)],
        _ => &[],
    }
}

#[cfg(target_arch = "aarch64")]
fn loops(level: KernelLevel) -> Loops {
    match level {
        KernelLevel::NeonBf16 => &[("peak bf16", 8.0, bfdot), ("peak f32", 4.0, neon)],
        KernelLevel::Neon => &[("peak f32", 4.0, neon)],
        _ => &[],
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn loops(_: KernelLevel) -> Loops {
    &[]
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

/// # Safety
/// The processor must have NEON.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon() {
    use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32};
    let (x, y) = (vdupq_n_f32(black_box(0.999)), vdupq_n_f32(black_box(0.001)));
    let mut sums = [vdupq_n_f32(1.0); CHAINS];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = vfmaq_f32(*sum, x, y));
    }
    black_box(sums);
}

/// # Safety
/// The processor must have NEON with bf16.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,bf16")]
unsafe fn bfdot() {
    use std::arch::aarch64::{vdupq_n_f32, vdupq_n_u32};
    let x = vdupq_n_u32(black_box(0x3C00_3C00));
    let mut sums = [vdupq_n_f32(1.0); CHAINS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            // SAFETY: the instruction touches its registers alone.
            unsafe {
                std::arch::asm!(
                    "bfdot {sum:v}.4s, {x:v}.8h, {x:v}.8h",
                    sum = inout(vreg) *sum,
                    x = in(vreg) x,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
    }
    black_box(sums);
}
