//! From a row of attention scores to the weights of a softmax.

use super::{Kernels, for_each_level};
use crate::Precision;
use crate::exponential::{EXP2_BF16, EXP2_FULL, exp2_falling};
use crate::precision::{bf16_pair, round_bf16};

/// Keys of one tile of scores.
pub(crate) const KEYS: usize = 128;

const LANES: usize = 16;

/// Most rows that are weighed at once: what one row waits for, the next ones fill.
pub(crate) const ROWS: usize = 16;

/// Scores of the keys of a tile, one row for each of up to [`ROWS`] queries.
pub(crate) struct ScoreRows<'a> {
    pub(crate) scores: &'a [[f32; KEYS]],
    /// How many of the keys each query sees, from the first on.
    pub(crate) visible: [usize; ROWS],
    /// The score that the keys before were weighed by, for each query; negative infinity where there were
    /// none.
    pub(crate) before: [f32; ROWS],
    /// Factor from differences of scores to exponents of two.
    pub(crate) factor: f32,
}

/// What is left of a row of scores beside its weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighed {
    /// The score whose weight is 1: the largest up to here, or one not much smaller.
    pub(crate) reference: f32,
    /// Sum of the weights, before they were rounded.
    pub(crate) sum: f32,
}

/// Writes `2^(factor · (score − reference))` of the visible keys, and zero for the others, as rows of
/// the left operand: `[rows, row_words(KEYS)]`.
pub(crate) fn weigh(
    kernels: Kernels,
    rows: &ScoreRows<'_>,
    words: &mut [u32],
    weighed: &mut [Weighed; ROWS],
) {
    assert!(rows.scores.len() <= ROWS);
    #[cfg(target_arch = "x86_64")]
    if kernels.level.has_avx512() {
        return weigh_by_registers(kernels, rows, words, weighed);
    }
    match kernels.precision {
        Precision::F32 => weigh_full(kernels.level, rows, words, weighed),
        Precision::Bf16 if kernels.level.multiplies_bf16() => {
            weigh_pairs(kernels.level, rows, words, weighed);
        }
        Precision::Bf16 => weigh_bf16(kernels.level, rows, words, weighed),
    }
}

#[cfg(target_arch = "x86_64")]
fn weigh_by_registers(
    kernels: Kernels,
    rows: &ScoreRows<'_>,
    words: &mut [u32],
    weighed: &mut [Weighed; ROWS],
) {
    // SAFETY: a level is active only when the processor has its instructions.
    unsafe {
        match kernels.precision {
            Precision::Bf16 if kernels.level.multiplies_bf16() => {
                super::avx512_weights::pairs(rows, words.as_chunks_mut().0, weighed);
            }
            Precision::Bf16 => {
                super::avx512_weights::rounded(rows, words.as_chunks_mut().0, weighed);
            }
            Precision::F32 => super::avx512_weights::full(rows, words.as_chunks_mut().0, weighed),
        }
    }
}

for_each_level! {
    fn weigh_full(rows: &ScoreRows<'_>, words: &mut [u32], weighed: &mut [Weighed; ROWS]) = full_body
}
for_each_level! {
    fn weigh_pairs(rows: &ScoreRows<'_>, words: &mut [u32], weighed: &mut [Weighed; ROWS]) = pairs_body
}
for_each_level! {
    fn weigh_bf16(rows: &ScoreRows<'_>, words: &mut [u32], weighed: &mut [Weighed; ROWS]) = bf16_body
}

#[inline(always)]
fn full_body<const FUSED: bool>(
    rows: &ScoreRows<'_>,
    words: &mut [u32],
    weighed: &mut [Weighed; ROWS],
) {
    for (row, words) in words.as_chunks_mut::<KEYS>().0.iter_mut().enumerate() {
        let weights = weights::<FUSED>(rows, row, &EXP2_FULL, &mut weighed[row]);
        words.iter_mut().zip(&weights).for_each(|(word, weight)| *word = weight.to_bits());
    }
}

#[inline(always)]
fn pairs_body<const FUSED: bool>(
    rows: &ScoreRows<'_>,
    words: &mut [u32],
    weighed: &mut [Weighed; ROWS],
) {
    for (row, words) in words.as_chunks_mut::<{ KEYS / 2 }>().0.iter_mut().enumerate() {
        let weights = weights::<FUSED>(rows, row, &EXP2_BF16, &mut weighed[row]);
        let pairs = weights.as_chunks::<2>().0;
        words.iter_mut().zip(pairs).for_each(|(word, &[low, high])| *word = bf16_pair(low, high));
    }
}

#[inline(always)]
fn bf16_body<const FUSED: bool>(
    rows: &ScoreRows<'_>,
    words: &mut [u32],
    weighed: &mut [Weighed; ROWS],
) {
    for (row, words) in words.as_chunks_mut::<KEYS>().0.iter_mut().enumerate() {
        let weights = weights::<FUSED>(rows, row, &EXP2_BF16, &mut weighed[row]);
        words.iter_mut().zip(&weights).for_each(|(word, &w)| *word = round_bf16(w).to_bits());
    }
}

#[inline(always)]
fn weights<const FUSED: bool>(
    rows: &ScoreRows<'_>,
    row: usize,
    polynomial: &[f32],
    weighed: &mut Weighed,
) -> [f32; KEYS] {
    let mut scores = rows.scores[row];
    if rows.visible[row] < KEYS {
        scores[rows.visible[row]..].fill(f32::NEG_INFINITY);
    }
    let largest = reduce(fold(&scores, f32::NEG_INFINITY, larger), larger);
    let largest = larger(rows.before[row], largest);
    for score in &mut scores {
        *score = exp2_falling::<FUSED>((*score - largest) * rows.factor, polynomial);
    }
    let sum = reduce(fold(&scores, 0.0, |a, b| a + b), |a, b| a + b);
    *weighed = Weighed { reference: largest, sum };
    scores
}

/// The larger number; `b` where either is NaN.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn fold(values: &[f32; KEYS], start: f32, join: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    for values in values.as_chunks::<LANES>().0 {
        for (lane, &value) in lanes.iter_mut().zip(values) {
            *lane = join(value, *lane);
        }
    }
    lanes
}

/// Joins the lanes in a tree.
#[inline(always)]
fn reduce(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelLevel;
    use crate::testing::random;

    /// One query's scores.
    struct ScoreRow<'a> {
        scores: &'a [f32; KEYS],
        visible: usize,
        factor: f32,
        before: f32,
    }

    /// Weights as numbers, whatever the level's words are.
    fn run(kernels: Kernels, row: &ScoreRow<'_>) -> (Vec<f32>, Weighed) {
        let &ScoreRow { scores, visible, factor, before } = row;
        let (width, mut weighed) = (kernels.row_words(KEYS), [Weighed::default(); ROWS]);
        let mut words = vec![u32::MAX; 2 * width];
        // Another row comes first: rows must not meet.
        let scores = &[[1.0; KEYS], *scores];
        let (mut all, mut seen) = ([f32::NEG_INFINITY; ROWS], [KEYS; ROWS]);
        (all[1], seen[1]) = (before, visible);
        let rows = ScoreRows { scores, visible: seen, factor, before: all };
        weigh(kernels, &rows, &mut words, &mut weighed);
        assert_eq!((weighed[0].reference, weighed[0].sum), (1.0, KEYS as f32));
        let (words, weighed) = (&words[width..], weighed[1]);
        let halves = |word: &u32| [word << 16, word & 0xFFFF_0000].map(f32::from_bits);
        let weights = match words.len() {
            KEYS => words.iter().map(|word| f32::from_bits(*word)).collect(),
            _ => words.iter().flat_map(halves).collect(),
        };
        (weights, weighed)
    }

    fn every_kernel() -> impl Iterator<Item = Kernels> {
        KernelLevel::available().flat_map(|level| {
            [Precision::F32, Precision::Bf16].map(|precision| Kernels { level, precision })
        })
    }

    #[test]
    fn weights_and_sum_are_those_of_f64() {
        for (seed, visible, before) in [(1, 128, 0.5), (2, 1, f32::NEG_INFINITY), (3, 77, 40.0)] {
            let mut scores: [f32; KEYS] = random(1, KEYS, seed).as_slice().try_into().unwrap();
            scores.iter_mut().for_each(|score| *score *= 30.0);
            let row = ScoreRow { scores: &scores, visible, factor: 0.7, before };
            let largest = scores[..visible].iter().copied().fold(before, f32::max);
            for kernels in every_kernel() {
                let allowed = if kernels.precision == Precision::F32 { 2e-7 } else { 4e-3 };
                let (weights, weighed) = run(kernels, &row);
                let twin = |key: usize| {
                    let exponent = 0.7f32 * (scores[key] - weighed.reference);
                    if key < visible { f64::from(exponent).exp2() } else { 0.0 }
                };
                let total: f64 = (0..KEYS).map(twin).sum();
                let kept = weighed.reference == before && total < 1e6;
                assert!(weighed.reference == largest || kept, "{kernels:?}");
                assert!((f64::from(weighed.sum) / total - 1.0).abs() < 6e-6, "{kernels:?}");
                for (key, &weight) in weights.iter().enumerate() {
                    let error = (f64::from(weight) - twin(key)).abs();
                    assert!(error <= allowed * twin(key), "{kernels:?} {key}: {weight}");
                }
            }
        }
    }

    #[test]
    fn nan_is_heard_and_hidden_keys_are_not() {
        let mut scores = [0.0; KEYS];
        (scores[3], scores[100], scores[101]) = (f32::NEG_INFINITY, f32::NAN, f32::INFINITY);
        for kernels in every_kernel() {
            let row = |visible| ScoreRow { scores: &scores, visible, factor: 1.0, before: -5.0 };
            let (weights, weighed) = run(kernels, &row(100));
            let scale = weighed.reference.exp2();
            assert!([0.0, -5.0].contains(&weighed.reference), "{kernels:?}");
            assert_eq!(scale * weighed.sum, 99.0, "{kernels:?}");
            assert!(weights[3] == 0.0 && weights[100..].iter().all(|weight| *weight == 0.0));
            assert!(run(kernels, &row(101)).1.sum.is_nan(), "{kernels:?}");
            assert!(run(kernels, &row(102)).1.sum.is_nan(), "{kernels:?}");
        }
    }
}
