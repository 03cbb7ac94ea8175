//! k-means, the same on any number of threads.

use compute::{Stream, mix};
use rayon::prelude::*;

/// Keys the first centres apart from other draws.
const CENTRES: u64 = 0x6365_6e74;

/// Rounds after which the clusters are taken as they are.
const ROUNDS: usize = 100;

/// The clusters of some points.
pub(super) struct Clusters {
    /// The cluster of every point.
    pub(super) of: Vec<usize>,
    /// The mean of every cluster's points.
    pub(super) centres: Vec<Vec<f64>>,
}

/// Divides `points` into `count` clusters by Lloyd's iteration from centres drawn by k-means++. No
/// cluster is empty, so there must be at least as many points. Of equally near centres the first is
/// taken.
pub(super) fn clusters(points: &[Vec<f64>], count: usize, seed: u64) -> Clusters {
    let mut centres = first_centres(points, count, seed);
    let mut of = Vec::new();
    for _ in 0..ROUNDS {
        let nearest = points.par_iter().map(|point| nearest(point, &centres));
        let (mut now, distances): (Vec<usize>, Vec<f64>) = nearest.unzip();
        fill_empty(&mut now, &distances, count);
        centres = means(points, &now, count);
        if now == of {
            break;
        }
        of = now;
    }
    Clusters { of, centres }
}

/// Of every cluster the member nearest to its centre, the first of equals.
pub(super) fn nearest_members(points: &[Vec<f64>], clusters: &Clusters) -> Vec<usize> {
    let mut members: Vec<Option<(usize, f64)>> = vec![None; clusters.centres.len()];
    for (index, (point, &cluster)) in points.iter().zip(&clusters.of).enumerate() {
        let distance = distance(point, &clusters.centres[cluster]);
        if members[cluster].is_none_or(|(_, least)| distance < least) {
            members[cluster] = Some((index, distance));
        }
    }
    members.into_iter().flatten().map(|(index, _)| index).collect()
}

/// The squared distance of two points.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The nearest centre and its squared distance.
fn nearest(point: &[f64], centres: &[Vec<f64>]) -> (usize, f64) {
    let mut found = (0, f64::INFINITY);
    for (index, centre) in centres.iter().enumerate() {
        let distance = distance(point, centre);
        if distance < found.1 {
            found = (index, distance);
        }
    }
    found
}

/// Greedy k-means++: each centre is a point, drawn with a probability that grows with the square of its
/// distance from those that are there; of a few draws the one that leaves the least distances is taken.
fn first_centres(points: &[Vec<f64>], count: usize, seed: u64) -> Vec<Vec<f64>> {
    let random = Stream::new(mix(seed ^ CENTRES), 0);
    let first = random.below(0, points.len() as u64) as usize;
    let mut centres = vec![points[first].clone()];
    let mut left = distances_left(points, &vec![f64::INFINITY; points.len()], first);
    let trials = 2 + (count as f64).ln() as usize;
    while centres.len() < count {
        let total = left.iter().sum::<f64>();
        let mut best: Option<(usize, Vec<f64>, f64)> = None;
        for trial in 0..trials {
            let mark = random.uniform((centres.len() * trials + trial) as u64) * total;
            let drawn = passing(&left, mark).unwrap_or(centres.len() % points.len());
            let distances = distances_left(points, &left, drawn);
            let sum = distances.iter().sum::<f64>();
            if best.as_ref().is_none_or(|(_, _, least)| sum < *least) {
                best = Some((drawn, distances, sum));
            }
        }
        let (drawn, distances, _) = best.expect("there are trials");
        centres.push(points[drawn].clone());
        left = distances;
    }
    centres
}

/// The first place at which the sum of `values` passes `mark`; none where all are 0.
fn passing(values: &[f64], mark: f64) -> Option<usize> {
    let mut sum = 0.0;
    values.iter().position(|value| {
        sum += value;
        sum > mark
    })
}

/// The squared distance of every point from its nearest centre, once point `new` is one.
fn distances_left(points: &[Vec<f64>], left: &[f64], new: usize) -> Vec<f64> {
    let with = |(point, least): (&Vec<f64>, &f64)| least.min(distance(point, &points[new]));
    points.par_iter().zip(left).map(with).collect()
}

/// Gives every empty cluster the point farthest from its centre among clusters of several points.
fn fill_empty(of: &mut [usize], distances: &[f64], count: usize) {
    let mut sizes = vec![0usize; count];
    of.iter().for_each(|&cluster| sizes[cluster] += 1);
    let mut moved = vec![false; of.len()];
    for empty in 0..count {
        if sizes[empty] > 0 {
            continue;
        }
        let mut far: Option<usize> = None;
        for index in (0..of.len()).filter(|&index| sizes[of[index]] > 1 && !moved[index]) {
            if far.is_none_or(|far| distances[index] > distances[far]) {
                far = Some(index);
            }
        }
        let far = far.expect("there are as many points as clusters");
        sizes[of[far]] -= 1;
        (of[far], sizes[empty], moved[far]) = (empty, 1, true);
    }
}

fn means(points: &[Vec<f64>], of: &[usize], count: usize) -> Vec<Vec<f64>> {
    let width = points.first().map_or(0, Vec::len);
    let (mut sums, mut sizes) = (vec![vec![0.0; width]; count], vec![0.0f64; count]);
    for (point, &cluster) in points.iter().zip(of) {
        sums[cluster].iter_mut().zip(point).for_each(|(sum, x)| *sum += x);
        sizes[cluster] += 1.0;
    }
    for (sum, size) in sums.iter_mut().zip(sizes) {
        sum.iter_mut().for_each(|x| *x /= size);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `sizes[c]` points around corner `c` of a wide grid, shuffled.
    fn planted(sizes: &[usize], seed: u64) -> (Vec<Vec<f64>>, Vec<usize>) {
        let random = Stream::new(seed, 1);
        let mut points = Vec::new();
        for (cluster, &size) in sizes.iter().enumerate() {
            for _ in 0..size {
                let at = points.len() as u64;
                let near = |axis: u64| random.uniform(3 * at + axis) - 0.5;
                let corner = [(cluster % 3) as f64 * 50.0, (cluster / 3) as f64 * 50.0];
                points.push((random.bits(9000 + at), cluster, corner, [near(0), near(1)]));
            }
        }
        points.sort_by_key(|point| point.0);
        let place = |(_, _, corner, near): &(u64, usize, [f64; 2], [f64; 2])| {
            vec![corner[0] + near[0], corner[1] + near[1]]
        };
        (points.iter().map(place).collect(), points.iter().map(|point| point.1).collect())
    }

    #[test]
    fn planted_clusters_are_found_whatever_their_sizes() {
        for seed in 0..20 {
            let (points, truth) = planted(&[40, 2, 7, 1, 25], seed);
            let kept = nearest_members(&points, &clusters(&points, 5, seed));
            let mut from: Vec<usize> = kept.iter().map(|&index| truth[index]).collect();
            from.sort_unstable();
            assert_eq!(from, [0, 1, 2, 3, 4], "seed {seed}");
        }
    }

    #[test]
    fn the_nearest_member_is_that_of_the_definition() {
        let (points, _) = planted(&[9, 9], 4);
        let found = clusters(&points, 2, 0);
        for (cluster, kept) in nearest_members(&points, &found).into_iter().enumerate() {
            assert_eq!(found.of[kept], cluster);
            let others = points.iter().zip(&found.of).filter(|(_, of)| **of == cluster);
            let least = others.map(|(point, _)| distance(point, &found.centres[cluster]));
            let least = least.fold(f64::INFINITY, f64::min);
            assert_eq!(distance(&points[kept], &found.centres[cluster]), least);
        }
    }

    proptest! {
        #[test]
        fn every_cluster_has_a_point(
            values in prop::collection::vec(0u8..4, 1..40), share in 0.0f64..1.0, seed: u64,
        ) {
            let points: Vec<Vec<f64>> = values.iter().map(|&v| vec![f64::from(v)]).collect();
            let count = 1 + (share * (points.len() - 1) as f64) as usize;
            let mut kept = nearest_members(&points, &clusters(&points, count, seed));
            kept.sort_unstable();
            kept.dedup();
            prop_assert_eq!(kept.len(), count);
        }
    }
}
