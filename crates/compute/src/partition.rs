//! Exact selection of the smallest of very many scores, on all threads.

use rayon::prelude::*;

use crate::precision::PIECE;
use crate::select::key;

/// Bits of a key by which scores are sorted into bins.
const BITS: u32 = 12;

/// [`mark_smallest`](crate::mark_smallest) for so many scores that they are worth several threads:
/// exactly `k` entries become true, the others false; of equal scores the one with the lower index
/// goes first.
///
/// # Panics
/// When `k` is larger than the number of scores, or the mask is of another length.
pub fn mark_smallest_of_many(scores: &[f32], k: usize, mask: &mut [bool]) {
    mark(scores, k, mask, key);
}

/// [`mark_smallest_of_many`] by the absolute values of the scores.
///
/// # Panics
/// When `k` is larger than the number of values, or the mask is of another length.
pub fn mark_least_of_many(values: &[f32], k: usize, mask: &mut [bool]) {
    mark(values, k, mask, size_key);
}

/// An integer that orders as the absolute values do.
#[inline(always)]
pub(crate) fn size_key(value: f32) -> u32 {
    value.to_bits() & (u32::MAX >> 1)
}

/// Marks the `k` smallest keys, the first of equal ones. Three looks at the scores: one counts how many
/// are in each bin, one takes out the keys of the bin in which the `k`-th is, one marks.
fn mark(scores: &[f32], k: usize, mask: &mut [bool], key: impl Fn(f32) -> u32 + Copy + Sync) {
    assert_eq!(scores.len(), mask.len(), "one entry per score");
    assert!(k <= scores.len(), "{k} of {} scores cannot be selected", scores.len());
    if k == 0 || k == scores.len() {
        return mask.fill(k > 0);
    }
    let (bin, within) = bin_of(&counts(scores, key), k);
    let in_bin = |scores: &[f32]| -> Vec<u32> {
        let keys = scores.iter().map(|score| key(*score));
        keys.filter(|key| key >> (u32::BITS - BITS) == bin).collect()
    };
    let pieces: Vec<Vec<u32>> = scores.par_chunks(PIECE).map(in_bin).collect();
    let mut keys = pieces.concat();
    let (below, &mut last, _) = keys.select_nth_unstable(within - 1);
    let mut left = within - below.iter().filter(|key| **key < last).count();
    let allowed = pieces.iter().map(|keys| {
        let ties = keys.iter().filter(|key| **key == last).count().min(left);
        left -= ties;
        ties
    });
    let allowed: Vec<usize> = allowed.collect();
    let pieces = mask.par_chunks_mut(PIECE).zip(scores.par_chunks(PIECE)).zip(allowed);
    pieces.for_each(|((mask, scores), ties)| {
        let keys = scores.iter().map(|score| key(*score));
        mask.iter_mut().zip(keys).for_each(|(mask, key)| *mask = key < last);
        let tied = mask.iter_mut().zip(scores).filter(|(_, score)| key(**score) == last);
        tied.take(ties).for_each(|(mask, _)| *mask = true);
    });
}

/// The bin in which the `k`-th smallest key is, and which of the bin's it is.
fn bin_of(counts: &[usize], mut k: usize) -> (u32, usize) {
    let mut bin = 0;
    while counts[bin] < k {
        k -= counts[bin];
        bin += 1;
    }
    (bin as u32, k)
}

/// How many keys are in each bin.
fn counts(scores: &[f32], key: impl Fn(f32) -> u32 + Copy + Sync) -> Vec<usize> {
    let count = |scores: &[f32]| {
        let mut counts = vec![0usize; 1 << BITS];
        scores.iter().for_each(|score| counts[(key(*score) >> (u32::BITS - BITS)) as usize] += 1);
        counts
    };
    let add = |mut sum: Vec<usize>, counts: Vec<usize>| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    };
    scores.par_chunks(16 * PIECE).map(count).reduce(|| vec![0; 1 << BITS], add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mark_smallest;
    use crate::testing::random;

    fn check(scores: &[f32], k: usize) {
        let (mut expected, mut found) = (vec![false; scores.len()], vec![true; scores.len()]);
        mark_smallest(scores, k, &mut expected);
        mark_smallest_of_many(scores, k, &mut found);
        assert!(expected == found, "{k} of {}", scores.len());
        let sizes: Vec<f32> = scores.iter().map(|score| score.abs()).collect();
        mark_smallest(&sizes, k, &mut expected);
        mark_least_of_many(scores, k, &mut found);
        assert!(expected == found, "{k} of {} sizes", scores.len());
    }

    proptest! {
        #[test]
        fn it_is_the_plain_selection(bits in prop::collection::vec(any::<u32>(), 1..300), k in 0usize..300) {
            let scores: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            check(&scores, k.min(scores.len()));
        }

        #[test]
        fn ties_are_cut_where_the_plain_selection_cuts_them(scores in prop::collection::vec(0u8..3, 1..300), k in 0usize..300) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            check(&scores, k.min(scores.len()));
        }
    }

    #[test]
    fn many_pieces_are_as_one() {
        let mut scores = random(5, 2 * PIECE + 77, 1).into_vec();
        scores.iter_mut().step_by(3).for_each(|score| *score = 0.25);
        for k in [1, 1000, PIECE, 3 * PIECE, scores.len() / 2, scores.len() - 1] {
            check(&scores, k);
        }
    }
}
