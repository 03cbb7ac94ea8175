//! The allocation among the others that serves best.

use super::{ALLOCATIONS, Allocation, Dense};
use crate::methods::Room;
use crate::{Error, Result};

/// Prunes the model once with every other allocation and takes the one that serves best.
pub(super) struct Auto;

impl Allocation for Auto {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn summary(&self) -> &'static str {
        "tries every other allocation and takes the best on held-out data; a pruning for each"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Prunes the model with every other allocation, by the method and to the sparsity of the run, and
  measures how far each result is from the dense model: the mean Kullback-Leibler divergence of
  the next token's distribution, on data that was held out. The run then goes on with the
  allocation that is nearest. The record holds what was tried and what it came to.

When to use it
  At 60 % and above, where an allocation is worth much and the wrong one hurts, and the time of
  several prunings is there.

Parameters
  --auto-data names the held-out data, as --calibration names its own. Without it the source of
  the calibration data is drawn from with another seed: 32 sequences of 512 tokens at most.

Cost
  A pruning for each candidate beside the run itself, two forward passes over the held-out data
  for each, and the disk space of one more model while they last.

Reference
  An allocation can hurt: Yin et al. (OWL, ICML 2024) report it of OPT-6.7B with SparseGPT."
    }

    fn needs_calibration(&self) -> bool {
        true
    }

    fn needs_held_out(&self) -> bool {
        true
    }

    fn blocks(&self) -> u64 {
        candidates().map(Allocation::blocks).max().unwrap_or(0)
    }

    fn room(&self) -> Room {
        candidates().map(Allocation::room).fold(Room::default(), |most, room| Room {
            site_matrices: most.site_matrices.max(room.site_matrices),
            linear_matrices: most.linear_matrices.max(room.linear_matrices),
        })
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let mut best: Option<(f64, &dyn Allocation)> = None;
        dense.observer.started("allocations", candidates().count() as u64);
        for candidate in candidates() {
            let divergence = dense.trials.run(candidate.name(), dense.observer)?;
            if let Some(divergence) = divergence
                && best.is_none_or(|(least, _)| divergence < least)
            {
                best = Some((divergence, candidate));
            }
            dense.observer.advanced(1);
        }
        dense.observer.finished();
        let (divergence, chosen) = best.ok_or_else(|| Error::Allocation {
            allocation: self.name().into(),
            problem: "no candidate gives a model that can be compared with the dense one".into(),
        })?;
        let name = chosen.name();
        dense.observer.note(&format!("allocation auto takes {name}: {divergence:.3} nats a token"));
        chosen.allocate(dense, target)
    }
}

/// Every allocation that does not try others itself.
fn candidates() -> impl Iterator<Item = &'static dyn Allocation> {
    ALLOCATIONS.iter().copied().filter(|allocation| !allocation.needs_held_out())
}
