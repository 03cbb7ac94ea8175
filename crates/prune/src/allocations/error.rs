//! Blocks whose outputs change more give up less.

use compute::Linear;

use super::{Allocation, Dense, shares};
use crate::methods::{self, Room, Target};
use crate::sweep::Activations;
use crate::{Error, InputStatistics, Needs, Pattern, Result, Scope};

/// The width over which sparsities are spread.
const WIDTH: f64 = 0.16;

/// Sparsities by the measured change of each block's output.
pub(super) struct OutputError;

impl Allocation for OutputError {
    fn name(&self) -> &'static str {
        "error"
    }

    fn summary(&self) -> &'static str {
        "blocks whose outputs change more when pruned give up less; three forward passes more"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Runs each block of the dense model on its dense inputs twice: as it is, and pruned by Wanda to
  the target. The error of a block is the logarithm of ||difference of the outputs||^2 /
  ||output||^2. Sparsities are linear in it over a width of 0.16, the block with the largest
  error lowest, moved so that the mean over all weights is the target.

When to use it
  At 60 % and above, as something to compare owl with: it measures what owl guesses at.

Parameters
  The width is 0.16, that of owl. Sparsities stay within 0 and 0.95.

Cost
  Three forward passes over the calibration data before the sweep.

Reference
  The reconstruction error of Huang et al., Determining Layer-wise Sparsity for Large Language
  Models Through a Theoretical Perspective, ICML 2025, measured block by block."
    }

    fn needs_calibration(&self) -> bool {
        true
    }

    fn blocks(&self) -> u64 {
        2
    }

    fn room(&self) -> Room {
        Room { site_matrices: 0, linear_matrices: 1 } // Wanda's scores
    }

    fn allocate(&self, dense: &Dense<'_>, target: f64) -> Result<Vec<f64>> {
        let weights = dense.weights();
        let sequences = &dense.calibration.expect("the allocation asks for it").sequences;
        let mut activations = Activations::embed(dense.model, sequences)?;
        let mut errors = Vec::new();
        dense.observer.started("errors", weights.len() as u64);
        for block in 0..weights.len() {
            errors.push(block_error(dense, block, target, &mut activations)?);
            dense.observer.advanced(1);
        }
        dense.observer.finished();
        let least: Vec<f64> = errors.iter().map(|error| -error).collect();
        Ok(shares::shifted(&shares::spread(&least, &weights, WIDTH), &weights, target))
    }
}

/// The logarithm of the relative squared change of a block's output; the activations go on through
/// the dense block.
fn block_error(
    dense: &Dense<'_>,
    block: usize,
    target: f64,
    activations: &mut Activations,
) -> Result<f64> {
    let (model, observer) = (dense.model, dense.observer);
    let frame = model.frame(block)?;
    let linears = model.block(block)?;
    let needs = Needs::SQUARED_NORMS;
    let statistics = activations.measure_block(&frame, linears.stages(), needs, observer)?;
    let mut pruned = linears.stages().to_vec();
    for (stage, statistics) in statistics.iter().enumerate() {
        prune_stage(dense, (block, stage), statistics, target, &mut pruned[stage])?;
    }
    let ratio = activations.compare_and_advance(&frame, linears.stages(), &pruned, observer)?;
    Ok(ratio.max(f64::MIN_POSITIVE).ln())
}

/// Prunes the linears of a stage that will be pruned by Wanda.
fn prune_stage(
    dense: &Dense<'_>,
    (block, stage): (usize, usize),
    statistics: &InputStatistics,
    target: f64,
    linears: &mut [Linear],
) -> Result<()> {
    let model = dense.model;
    let spec = &model.spec().blocks[block].stages[stage];
    if let Some(input) = statistics.first_non_finite() {
        return Err(Error::Activations { block, site: spec.site, input });
    }
    let prepared = methods::find("wanda")?.prepare(statistics)?;
    let target = Target { pattern: Pattern::Fraction { sparsity: target }, scope: Scope::Row };
    let wanted = &dense.plan.blocks[block][stage];
    for ((linear, spec), wanted) in linears.iter_mut().zip(&spec.linears).zip(wanted) {
        if wanted.is_some() {
            let weights = prepared.prune(&model.matrix(&spec.tensor)?, target)?.weights;
            *linear = Linear::new(weights, model.bias(spec)?, model.precision());
        }
    }
    Ok(())
}
