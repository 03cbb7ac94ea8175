//! Exact selection of the smallest of very many scores, on all threads.

use rayon::prelude::*;

use crate::precision::PIECE;
use crate::select::key;

/// Bits of a key that one count looks at.
const BITS: u32 = 11;

/// [`mark_smallest`](crate::mark_smallest) for so many scores that they are worth several threads:
/// exactly `k` entries become true, the others false; of equal scores the one with the lower index
/// goes first. The key's bits are counted from the top until the last that is selected is known.
///
/// # Panics
/// When `k` is larger than the number of scores, or the mask is of another length.
pub fn mark_smallest_of_many(scores: &[f32], k: usize, mask: &mut [bool]) {
    assert_eq!(scores.len(), mask.len(), "one entry per score");
    assert!(k <= scores.len(), "{k} of {} scores cannot be selected", scores.len());
    if k == 0 || k == scores.len() {
        return mask.fill(k > 0);
    }
    let (last, ties) = last_selected(scores, k);
    let tied = |scores: &[f32]| scores.iter().filter(|score| key(**score) == last).count();
    let mut allowed: Vec<usize> = scores.par_chunks(PIECE).map(tied).collect();
    let mut left = ties;
    for count in &mut allowed {
        *count = left.min(*count);
        left -= *count;
    }
    let pieces = mask.par_chunks_mut(PIECE).zip(scores.par_chunks(PIECE)).zip(allowed);
    pieces.for_each(|((mask, scores), mut ties)| {
        for (mask, score) in mask.iter_mut().zip(scores) {
            let tie = key(*score) == last && ties > 0;
            ties -= usize::from(tie);
            *mask = tie || key(*score) < last;
        }
    });
}

/// The key of the `k`-th smallest score, and how many scores with that key are among the `k`.
fn last_selected(scores: &[f32], mut k: usize) -> (u32, usize) {
    let (mut prefix, mut known) = (0u32, 0u32);
    while known < u32::BITS {
        let bits = BITS.min(u32::BITS - known);
        let shift = u32::BITS - known - bits;
        let counts = counts(scores, prefix, known, shift);
        let mut digit = 0;
        while counts[digit] < k {
            k -= counts[digit];
            digit += 1;
        }
        prefix = (prefix << bits) | digit as u32;
        known += bits;
    }
    (prefix, k)
}

/// How many keys that begin with the `known` bits `prefix` go on with each value of the bits down to
/// `shift`.
fn counts(scores: &[f32], prefix: u32, known: u32, shift: u32) -> Vec<usize> {
    let bits = u32::BITS - known - shift;
    let count = |scores: &[f32]| {
        let mut counts = vec![0usize; 1 << bits];
        for key in scores.iter().map(|score| key(*score)) {
            if known == 0 || key >> (shift + bits) == prefix {
                counts[(key >> shift) as usize & ((1 << bits) - 1)] += 1;
            }
        }
        counts
    };
    let add = |mut sum: Vec<usize>, counts: Vec<usize>| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    };
    scores.par_chunks(4 * PIECE).map(count).reduce(|| vec![0; 1 << bits], add)
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
