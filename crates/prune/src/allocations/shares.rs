//! Shares of zeros that meet a target.

use super::MOST;

/// Halvings of the interval in which the shift is looked for: beyond the precision of `f64`.
const HALVINGS: usize = 100;

/// `values` of the blocks that have weights, mapped linearly so that the least becomes 0 and the
/// largest `width`; all 0 where they do not differ.
pub(super) fn spread(values: &[f64], weights: &[f64], width: f64) -> Vec<f64> {
    let counted =
        || values.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(v, _)| *v);
    let least = counted().fold(f64::INFINITY, f64::min);
    let range = counted().fold(f64::NEG_INFINITY, f64::max) - least;
    let place = |value: &f64| if range > 0.0 { (value - least) / range * width } else { 0.0 };
    values.iter().map(place).collect()
}

/// `shares`, all moved by the same amount and kept in `[0, MOST]`, so that their mean weighted by
/// `weights` is `target`, at most [`MOST`].
pub(super) fn shifted(shares: &[f64], weights: &[f64], target: f64) -> Vec<f64> {
    let moved = |shift: f64| shares.iter().map(move |share| (share + shift).clamp(0.0, MOST));
    let total: f64 = weights.iter().sum();
    let mean = |shift: f64| moved(shift).zip(weights).map(|(s, w)| s * w).sum::<f64>() / total;
    let furthest = shares.iter().fold(0.0, |most: f64, share| most.max(share.abs()));
    let (mut low, mut high) = (-furthest - 1.0, furthest + 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if mean(middle) < target { low = middle } else { high = middle }
    }
    moved(high).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_weighted_mean_is_the_target(
            blocks in prop::collection::vec((0.0f64..1.0, 1.0f64..9.0), 1..20),
            width in 0.0f64..1.0,
            target in 0.0f64..0.95,
        ) {
            let (values, weights): (Vec<f64>, Vec<f64>) = blocks.into_iter().unzip();
            let shares = shifted(&spread(&values, &weights, width), &weights, target);
            let sum: f64 = shares.iter().zip(&weights).map(|(share, weight)| share * weight).sum();
            prop_assert!((sum / weights.iter().sum::<f64>() - target).abs() < 1e-9);
            prop_assert!(shares.iter().all(|share| (0.0..=MOST).contains(share)));
        }
    }

    #[test]
    fn what_does_not_meet_a_bound_keeps_its_distances() {
        let spread = spread(&[3.0, 1.0, 2.0, 100.0], &[1.0, 1.0, 1.0, 0.0], 0.2);
        let shares = shifted(&spread, &[1.0, 1.0, 1.0, 0.0], 0.5);
        for (found, expected) in shares.iter().zip([0.6, 0.4, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{shares:?}");
        }
    }
}
