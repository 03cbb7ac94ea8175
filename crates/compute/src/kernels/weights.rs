//! From a row of attention scores to the weights of a softmax.

use super::{Kernels, for_each_level};
use crate::Precision;
use crate::exponential::{EXP2_BF16, EXP2_FULL, exp2_falling};
use crate::precision::{bf16_pair, round_bf16};

/// Keys of one tile of scores.
pub(crate) const KEYS: usize = 128;

const LANES: usize = 16;

/// One query's scores of the keys of a tile.
pub(crate) struct ScoreRow<'a> {
    pub(crate) scores: &'a [f32; KEYS],
    /// How many of the keys the query sees, from the first on.
    pub(crate) visible: usize,
    /// Factor from differences of scores to exponents of two.
    pub(crate) factor: f32,
    /// Largest score of the keys before.
    pub(crate) before: f32,
}

/// What is left of a row of scores beside its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighed {
    /// Largest score up to here.
    pub(crate) largest: f32,
    /// Sum of the weights, before they were rounded.
    pub(crate) sum: f32,
}

/// Writes `2^(factor · (score − largest))` of the visible keys, and zero for the others, as a row of
/// the left operand: `[row_words(KEYS)]`.
pub(crate) fn weigh(kernels: Kernels, row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed {
    #[cfg(target_arch = "x86_64")]
    if kernels.level.has_avx512() {
        return weigh_by_registers(kernels, row, words);
    }
    match kernels.precision {
        Precision::F32 => weigh_full(kernels.level, row, words),
        Precision::Bf16 if kernels.level.multiplies_bf16() => {
            weigh_pairs(kernels.level, row, words)
        }
        Precision::Bf16 => weigh_bf16(kernels.level, row, words),
    }
}

#[cfg(target_arch = "x86_64")]
fn weigh_by_registers(kernels: Kernels, row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed {
    if let Ok(words) = words.try_into() {
        // SAFETY: only the level that has the instructions takes pairs, half a word each.
        return unsafe { super::avx512_weights::pairs(row, words) };
    }
    let words = words.try_into().expect("a word per key, or per pair of keys");
    // SAFETY: a level is active only when the processor has its instructions.
    unsafe {
        match kernels.precision {
            Precision::F32 => super::avx512_weights::full(row, words),
            Precision::Bf16 => super::avx512_weights::rounded(row, words),
        }
    }
}

for_each_level! { fn weigh_full(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed = full_body }
for_each_level! { fn weigh_pairs(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed = pairs_body }
for_each_level! { fn weigh_bf16(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed = bf16_body }

#[inline(always)]
fn full_body<const FUSED: bool>(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed {
    let (weights, weighed) = weights::<FUSED>(row, &EXP2_FULL);
    words.iter_mut().zip(&weights).for_each(|(word, weight)| *word = weight.to_bits());
    weighed
}

#[inline(always)]
fn pairs_body<const FUSED: bool>(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed {
    let (weights, weighed) = weights::<FUSED>(row, &EXP2_BF16);
    let pairs = weights.as_chunks::<2>().0;
    words.iter_mut().zip(pairs).for_each(|(word, &[low, high])| *word = bf16_pair(low, high));
    weighed
}

#[inline(always)]
fn bf16_body<const FUSED: bool>(row: &ScoreRow<'_>, words: &mut [u32]) -> Weighed {
    let (weights, weighed) = weights::<FUSED>(row, &EXP2_BF16);
    words.iter_mut().zip(&weights).for_each(|(word, &weight)| *word = round_bf16(weight).to_bits());
    weighed
}

#[inline(always)]
fn weights<const FUSED: bool>(row: &ScoreRow<'_>, polynomial: &[f32]) -> ([f32; KEYS], Weighed) {
    let mut scores = *row.scores;
    if row.visible < KEYS {
        scores[row.visible..].fill(f32::NEG_INFINITY);
    }
    let largest = larger(row.before, reduce(fold(&scores, f32::NEG_INFINITY, larger), larger));
    for score in &mut scores {
        *score = exp2_falling::<FUSED>((*score - largest) * row.factor, polynomial);
    }
    let sum = reduce(fold(&scores, 0.0, |a, b| a + b), |a, b| a + b);
    (scores, Weighed { largest, sum })
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

    /// Weights as numbers, whatever the level's words are.
    fn run(kernels: Kernels, row: &ScoreRow<'_>) -> (Vec<f32>, Weighed) {
        let mut words = vec![u32::MAX; kernels.row_words(KEYS)];
        let weighed = weigh(kernels, row, &mut words);
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
            let twin = |key: usize| {
                let exponent = 0.7f32 * (scores[key] - largest);
                if key < visible { f64::from(exponent).exp2() } else { 0.0 }
            };
            let total: f64 = (0..KEYS).map(twin).sum();
            for kernels in every_kernel() {
                let allowed = if kernels.precision == Precision::F32 { 2e-7 } else { 4e-3 };
                let (weights, weighed) = run(kernels, &row);
                assert_eq!(weighed.largest, largest, "{kernels:?}");
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
            assert_eq!((weighed.largest, weighed.sum), (0.0, 99.0), "{kernels:?}");
            assert!(weights[3] == 0.0 && weights[100..].iter().all(|weight| *weight == 0.0));
            assert!(run(kernels, &row(101)).1.sum.is_nan(), "{kernels:?}");
            assert!(run(kernels, &row(102)).1.sum.is_nan(), "{kernels:?}");
        }
    }
}
