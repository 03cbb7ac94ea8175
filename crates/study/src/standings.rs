//! An order of entries that says where it is within the noise.

use serde::Serialize;

use crate::Spread;

/// Where an entry stands among others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The entry's place in what was given.
    pub entry: usize,
    /// Its rank, from 1; entries whose difference is within the noise of the draw share one.
    pub rank: usize,
    /// Whether others have the same rank.
    pub shared: bool,
    /// Its values over the replicates.
    pub spread: Spread,
    /// How far it is from the best, replicate by replicate; nothing for the best itself.
    pub behind: Option<Difference>,
}

/// The paired difference of two entries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The differences, replicate by replicate.
    pub spread: Spread,
    /// Half the width of the 95 % interval of their mean (Student's t); nothing for one replicate.
    pub half_width: Option<f64>,
}

/// Orders entries by the mean of their `values`, `[entries][replicates]`, replicate `r` of each drawn
/// alike. Entries share a rank where the 95 % interval of their paired difference from the first of the
/// rank holds 0; with one replicate the noise is not known and nothing is shared but equal values.
///
/// # Panics
/// When entries have different numbers of values, or none.
pub fn standings(values: &[Vec<f64>], lower_is_better: bool) -> Vec<Standing> {
    let spread = |values: &Vec<f64>| Spread::of(values).expect("a value for every entry");
    let spreads: Vec<Spread> = values.iter().map(spread).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| {
        let (first, second) = (spreads[a].mean, spreads[b].mean);
        if lower_is_better { first.total_cmp(&second) } else { second.total_cmp(&first) }
    });
    let mut ranks: Vec<usize> = Vec::new();
    let mut leader = 0;
    for (place, &entry) in order.iter().enumerate() {
        if place > 0 && Difference::of(&values[entry], &values[order[leader]]).beyond_noise() {
            leader = place;
        }
        ranks.push(leader + 1);
    }
    let standing = |(place, &entry): (usize, &usize)| Standing {
        entry,
        rank: ranks[place],
        shared: ranks.iter().filter(|rank| **rank == ranks[place]).count() > 1,
        spread: spreads[entry],
        behind: (place > 0).then(|| Difference::of(&values[entry], &values[order[0]])),
    };
    order.iter().enumerate().map(standing).collect()
}

impl Difference {
    fn of(values: &[f64], others: &[f64]) -> Self {
        assert_eq!(values.len(), others.len(), "a value for every replicate");
        let differences: Vec<f64> = values.iter().zip(others).map(|(a, b)| a - b).collect();
        let spread = Spread::of(&differences).expect("a value for every entry");
        let half_width =
            |deviation: f64| quantile(spread.count - 1) * deviation / (spread.count as f64).sqrt();
        Self { spread, half_width: spread.deviation.map(half_width) }
    }

    /// Whether the difference is more than the noise explains, as far as the noise is known.
    pub fn beyond_noise(&self) -> bool {
        self.spread.mean.abs() > self.half_width.unwrap_or(0.0)
    }
}

/// The 97.5 % quantile of Student's t distribution.
fn quantile(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    // Beyond the table by Cornish and Fisher's expansion, within 0.001.
    let (normal, freedoms) = (1.959_964_f64, freedom as f64);
    let first = (normal.powi(3) + normal) / 4.0;
    let second = (5.0 * normal.powi(5) + 16.0 * normal.powi(3) + 3.0 * normal) / 96.0;
    let beyond = normal + first / freedoms + second / freedoms.powi(2);
    freedom.checked_sub(1).and_then(|row| TABLE.get(row)).copied().unwrap_or(beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(values: &[Vec<f64>], lower: bool) -> Vec<(usize, usize, bool)> {
        standings(values, lower).iter().map(|one| (one.entry, one.rank, one.shared)).collect()
    }

    #[test]
    fn differences_within_the_noise_share_a_rank() {
        let values = [
            vec![5.0, 6.0, 7.0],
            vec![1.0, 2.0, 3.0], // the best
            vec![1.5, 1.8, 3.1], // now before it, now behind
            vec![1.2, 2.2, 3.2], // always the same behind: pairing tells it from the best
        ];
        assert_eq!(
            ranks(&values, true),
            [(1, 1, true), (2, 1, true), (3, 3, false), (0, 4, false)]
        );
        let found = standings(&values, true);
        assert_eq!(found[0].behind, None);
        let behind = found[3].behind.unwrap();
        assert_eq!((behind.spread.mean, behind.half_width), (4.0, Some(0.0)));
        assert!(behind.beyond_noise() && !found[1].behind.unwrap().beyond_noise());
    }

    #[test]
    fn higher_may_be_better_and_equals_are_level() {
        assert_eq!(
            ranks(&[vec![1.0], vec![3.0], vec![1.0]], false),
            [(1, 1, false), (0, 2, true), (2, 2, true)]
        );
        let one = standings(&[vec![1.0], vec![3.0]], false);
        assert_eq!(one[1].behind.unwrap().half_width, None);
    }

    #[test]
    fn the_interval_is_students() {
        let difference = Difference::of(&[1.0, 2.0, 4.0, 5.0], &[0.0; 4]);
        // t(3) 3.182, deviation √(10/3), √4 values
        let expected = 3.182 * (10.0f64 / 3.0).sqrt() / 2.0;
        assert!((difference.half_width.unwrap() - expected).abs() < 1e-9);
        assert!((quantile(31) - 2.0395).abs() < 1e-3 && (quantile(1000) - 1.9623).abs() < 1e-3);
    }
}
