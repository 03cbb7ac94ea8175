//! Any sequences of the pool.

use compute::{Stream, mix};
use lm::Observer;

use super::{Choice, Pool, Selection};
use crate::Result;

/// Keys the choice apart from other draws.
const CHOICE: u64 = 0x0063_686f_6963;

/// A random choice: the control of the other rules.
pub(super) struct Random;

impl Selection for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn summary(&self) -> &'static str {
        "any sequences of the pool: the control of the other rules"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Keeps sequences of the pool at random, all equally often.

When to use it
  To see what the other rules are worth: it selects from the same pool as they do.

Parameters
  pool (--pool): sequences drawn for each that is kept, 4. seed.

Cost
  Drawing the pool.

Reference
  None: it is the control of an experiment."
    }

    fn choose(&self, pool: &Pool<'_>, _observer: &dyn Observer) -> Result<Choice> {
        Ok(Choice { kept: draw(pool.sequences.len(), pool.wanted, pool.seed), scores: Vec::new() })
    }
}

/// `wanted` of `total` places; every choice is as probable as any other.
fn draw(total: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let random = Stream::new(mix(seed ^ CHOICE), 0);
    let mut places: Vec<usize> = (0..total).collect();
    for first in 0..wanted.min(total) {
        let left = (total - first) as u64;
        places.swap(first, first + random.below(first as u64, left) as usize);
    }
    places.truncate(wanted);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_kept_equally_often_and_once() {
        let mut counts = [0usize; 12];
        for seed in 0..3000 {
            let mut kept = draw(12, 4, seed);
            kept.sort_unstable();
            kept.dedup();
            assert_eq!(kept.len(), 4);
            kept.iter().for_each(|place| counts[*place] += 1);
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(draw(12, 4, 7), draw(12, 4, 7));
        assert_ne!(draw(12, 4, 7), draw(12, 4, 8));
    }
}
