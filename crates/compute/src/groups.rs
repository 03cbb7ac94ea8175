//! Exact selection of the smallest scores of every group of neighbours.

use rayon::prelude::*;

use crate::KernelLevel;
use crate::kernels::for_each_level;
use crate::partition::size_key;
use crate::select::{key, mark_keys};

/// Groups that are ranked side by side.
const LANES: usize = 16;
/// Scores of a task, about: whole groups.
const TASK: usize = 1 << 14;

/// [`mark_smallest`](crate::mark_smallest) for every `group` scores in a row: `k` entries of each
/// become true, the others false; of equal scores the one with the lower index goes first.
///
/// # Panics
/// When the groups do not come out even, `k` is larger than a group, or the mask is of another length.
pub fn mark_smallest_of_groups(scores: &[f32], (group, k): (usize, usize), mask: &mut [bool]) {
    mark(scores, (group, k), mask, false);
}

/// [`mark_smallest_of_groups`] by the absolute values of the scores.
///
/// # Panics
/// When the groups do not come out even, `k` is larger than a group, or the mask is of another length.
pub fn mark_least_of_groups(values: &[f32], (group, k): (usize, usize), mask: &mut [bool]) {
    mark(values, (group, k), mask, true);
}

fn mark(scores: &[f32], (group, k): (usize, usize), mask: &mut [bool], by_size: bool) {
    assert_eq!(scores.len(), mask.len(), "one entry per score");
    if scores.is_empty() {
        return;
    }
    assert!(group > 0 && scores.len().is_multiple_of(group), "whole groups of {group}");
    assert!(k <= group, "{k} of {group} scores cannot be selected");
    let (level, task) = (KernelLevel::active(), TASK.next_multiple_of(group * LANES));
    let tasks = mask.par_chunks_mut(task).zip(scores.par_chunks(task));
    tasks.for_each(|(mask, scores)| match group {
        2 | 4 | 8 => mark_ranked(level, scores, (group, k, by_size), mask),
        _ => {
            let groups = mask.chunks_mut(group).zip(scores.chunks(group));
            groups.for_each(|(mask, scores)| match by_size {
                false => mark_keys(scores, k, mask, key),
                true => mark_keys(scores, k, mask, size_key),
            });
        }
    });
}

for_each_level! {
    fn mark_ranked(scores: &[f32], how: (usize, usize, bool), mask: &mut [bool]) = ranked_body
}

#[inline(always)]
fn ranked_body<const FUSED: bool>(
    scores: &[f32],
    (group, k, by_size): (usize, usize, bool),
    mask: &mut [bool],
) {
    match (group, by_size) {
        (2, false) => ranked::<2>(scores, k, mask, key),
        (2, true) => ranked::<2>(scores, k, mask, size_key),
        (4, false) => ranked::<4>(scores, k, mask, key),
        (4, true) => ranked::<4>(scores, k, mask, size_key),
        (_, false) => ranked::<8>(scores, k, mask, key),
        (_, true) => ranked::<8>(scores, k, mask, size_key),
    }
}

/// Marks every score of a group of `N` that fewer than `k` come before.
#[inline(always)]
fn ranked<const N: usize>(scores: &[f32], k: usize, mask: &mut [bool], key: impl Fn(f32) -> u32) {
    for (scores, mask) in scores.chunks(N * LANES).zip(mask.chunks_mut(N * LANES)) {
        let mut keys = [[0; LANES]; N];
        for (lane, scores) in scores.as_chunks::<N>().0.iter().enumerate() {
            for place in 0..N {
                keys[place][lane] = key(scores[place]);
            }
        }
        for place in 0..N {
            let mut before = [0; LANES];
            for other in (0..N).filter(|other| *other != place) {
                for lane in 0..LANES {
                    let (own, its) = (keys[place][lane], keys[other][lane]);
                    before[lane] += u32::from(its < own || (its == own && other < place));
                }
            }
            for (lane, mask) in mask.as_chunks_mut::<N>().0.iter_mut().enumerate() {
                mask[place] = (before[lane] as usize) < k;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mark_smallest;

    fn check(scores: &[f32], group: usize, k: usize) {
        let scores = &scores[..scores.len() - scores.len() % group];
        let sizes: Vec<f32> = scores.iter().map(|score| score.abs()).collect();
        let mut expected = vec![true; scores.len()];
        let mut found = vec![false; scores.len()];
        for (values, by_size) in [(scores, false), (&sizes, true)] {
            let groups = expected.chunks_mut(group).zip(values.chunks(group));
            groups.for_each(|(mask, scores)| mark_smallest(scores, k, mask));
            mark(scores, (group, k), &mut found, by_size);
            assert_eq!(found, expected, "{group} {k} {by_size}");
        }
    }

    proptest! {
        #[test]
        fn every_group_is_marked_as_it_would_be_alone(
            bits in prop::collection::vec(any::<u32>(), 0..400),
            ties in prop::collection::vec(-2i8..3, 0..400),
            group in prop::sample::select(vec![1usize, 2, 3, 4, 8, 16, 33]),
            share in 0.0f64..1.0,
        ) {
            let k = (share * (group + 1) as f64) as usize;
            let scores: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            check(&scores, group, k);
            let ties: Vec<f32> = ties.into_iter().map(f32::from).collect();
            check(&ties, group, k);
        }
    }

    #[test]
    fn tasks_hold_whole_groups() {
        let scores: Vec<f32> = (0..3 * TASK + 12).map(|at| ((at * 7919) % 1009) as f32).collect();
        [4, 12].into_iter().for_each(|group| check(&scores, group, 2));
    }
}
