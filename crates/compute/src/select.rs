//! Exact selection of the smallest scores.

/// The indices of exactly `count` smallest `scores`, in ascending order.
///
/// The order of scores is that of [`f32::total_cmp`] (NaN with the sign bit clear is the largest of
/// all, -0 comes before 0); among equal scores the lower index goes first. Linear in the number of
/// scores.
///
/// # Panics
/// When there are fewer than `count` scores.
pub fn select_smallest(scores: &[f32], count: usize) -> Vec<usize> {
    let mut mask = vec![false; scores.len()];
    mark_smallest(scores, count, &mut mask);
    let mut indices = Vec::with_capacity(count);
    indices.extend((0..scores.len()).filter(|&index| mask[index]));
    indices
}

/// [`select_smallest`] as a mask of the scores' length: exactly `k` entries become true, the others
/// false.
///
/// # Panics
/// When `k` is larger than the number of scores, or the mask is of another length.
pub fn mark_smallest(scores: &[f32], k: usize, mask: &mut [bool]) {
    mark_keys(scores, k, mask, key);
}

/// Marks the scores with the `k` smallest keys, the first of equal ones.
pub(crate) fn mark_keys(scores: &[f32], k: usize, mask: &mut [bool], key: impl Fn(f32) -> u32) {
    assert_eq!(scores.len(), mask.len(), "one entry per score");
    assert!(k <= scores.len(), "{k} of {} scores cannot be selected", scores.len());
    if k == 0 || k == scores.len() {
        return mask.fill(k > 0);
    }
    let mut keys: Vec<u32> = scores.iter().map(|&score| key(score)).collect();
    let (_, &mut last, _) = keys.select_nth_unstable(k - 1);
    let below = scores.iter().filter(|&&score| key(score) < last).count();
    let mut ties = k - below;
    for (mask, &score) in mask.iter_mut().zip(scores) {
        let tie = key(score) == last && ties > 0;
        ties -= usize::from(tie);
        *mask = tie || key(score) < last;
    }
}

/// An integer that orders as [`f32::total_cmp`] does.
#[inline(always)]
pub(crate) fn key(score: f32) -> u32 {
    let bits = score.to_bits();
    if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares with a full sort, which is stable.
    fn check(scores: &[f32], k: usize) {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let mut expected = order[..k].to_vec();
        expected.sort_unstable();
        assert_eq!(select_smallest(scores, k), expected);
        let mut mask = vec![true; scores.len()];
        mark_smallest(scores, k, &mut mask);
        assert!(
            mask.iter().enumerate().all(|(index, &marked)| marked == expected.contains(&index))
        );
    }

    proptest! {
        #[test]
        fn equals_a_stable_sort(bits in prop::collection::vec(any::<u32>(), 0..200), k in 0usize..200) {
            let scores: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            let k = k.min(scores.len());
            check(&scores, k);
        }

        #[test]
        fn equals_a_stable_sort_with_many_ties(scores in prop::collection::vec(0u8..4, 1..300), k in 0usize..300) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let k = k.min(scores.len());
            check(&scores, k);
        }
    }

    #[test]
    #[should_panic(expected = "4 of 3 scores")]
    fn more_than_there_are_is_refused() {
        select_smallest(&[1.0, 2.0, 3.0], 4);
    }
}
