//! One linear: read, prune, write, ready to run as it was written.

use compute::{Linear, awake};
use lm::checkpoint::CheckpointWriter;
use lm::{LinearSpec, Model};

use super::LinearReport;
use crate::methods::{Prepared, Target};
use crate::{Result, Sparsity};

/// Prunes the linears of a stage that share `prepared`, writes them, and gives them back ready to
/// run, together with what was done.
pub(super) fn prune_stage(
    model: &Model,
    writer: &CheckpointWriter,
    linears: &[LinearSpec],
    targets: &[Option<Target>],
    prepared: &dyn Prepared,
) -> Result<(Vec<Linear>, Vec<LinearReport>)> {
    let each = linears.iter().zip(targets).map(|(linear, target)| match target {
        Some(target) => prune_linear(model, writer, linear, *target, prepared),
        None => keep_linear(model, writer, linear),
    });
    Ok(each.collect::<Result<Vec<_>>>()?.into_iter().unzip())
}

/// Prunes one linear and runs on with exactly what was written.
fn prune_linear(
    model: &Model,
    writer: &CheckpointWriter,
    linear: &LinearSpec,
    target: Target,
    prepared: &dyn Prepared,
) -> Result<(Linear, LinearReport)> {
    let dtype = model.checkpoint().store.info(&linear.tensor)?.dtype;
    let weights = model.matrix(&linear.tensor)?;
    let pruned = awake(|| prepared.prune(&weights, target))?.weights;
    drop(weights);
    let bytes = dtype.encode(pruned.as_slice());
    writer.write(&linear.tensor, &bytes)?;
    let (rows, cols) = (pruned.rows(), pruned.cols());
    drop(pruned);
    let written = compute::Matrix::from_vec(rows, cols, dtype.decode(&bytes));
    let sparsity = Sparsity::of(written.as_slice());
    let bias = model.bias(linear)?;
    let (tensor, target) = (linear.tensor.clone(), Some(target.pattern));
    let report = LinearReport { tensor, target, sparsity, notes: prepared.notes() };
    Ok((Linear::new(written, bias, model.precision()), report))
}

/// Leaves one linear as it is.
fn keep_linear(
    model: &Model,
    writer: &CheckpointWriter,
    linear: &LinearSpec,
) -> Result<(Linear, LinearReport)> {
    writer.copy(&linear.tensor)?;
    let weights = model.matrix(&linear.tensor)?;
    let sparsity = Sparsity::of(weights.as_slice());
    let (tensor, target) = (linear.tensor.clone(), None);
    let report = LinearReport { tensor, target, sparsity, notes: Vec::new() };
    Ok((Linear::new(weights, model.bias(linear)?, model.precision()), report))
}

/// A linear as an earlier, killed run wrote it.
pub(super) fn written_linear(
    model: &Model,
    writer: &CheckpointWriter,
    linear: &LinearSpec,
) -> Result<Linear> {
    let values = writer.read(&linear.tensor)?.to_f32();
    let weights = compute::Matrix::from_vec(linear.outputs, linear.inputs, values);
    Ok(Linear::new(weights, model.bias(linear)?, model.precision()))
}
