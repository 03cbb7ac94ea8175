//! Which activations fit the memory a run may use.

use calib::CalibrationSet;
use compute::Precision;
use lm::BlockSpec;

use super::Job;
use crate::allocations;
use crate::methods::Room;
use crate::{Needs, Propagation, Result, TokenWeights};

/// Memory of the program itself: headers, thread stacks, buffers of fixed size.
const BASE: u64 = 32 << 20;

/// Memory of the tokenizer for each of its tokens: about 50 MB for 49,152 of them.
const TOKEN: u64 = 1 << 10;

/// Which site inputs are kept for all tokens, and which are made anew chunk by chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    /// Bytes that residual stream and site input may take; nothing where memory is not limited.
    budget: Option<u64>,
    tokens: u64,
    /// Bytes of a token's weight in the statistics, where it has one.
    token_size: u64,
    value_size: u64,
    hidden: u64,
}

impl Holding {
    /// Splits the job's memory between one block, its working space and the held activations.
    ///
    /// # Errors
    /// [`lm::Error::Memory`] when not even the residual stream fits.
    pub(super) fn new(job: &Job<'_>, calibration: Option<&CalibrationSet>) -> Result<Self> {
        let lengths = || calibration.into_iter().flat_map(|set| &set.sequences).map(Vec::len);
        let (tokens, longest) = (lengths().sum::<usize>(), lengths().max().unwrap_or(0));
        let model = job.model;
        let value_size = value_size(model.precision());
        let (tokens, hidden) = (tokens as u64, model.spec().hidden as u64);
        let token_size = if is_weighted(job) { size_of::<f32>() as u64 } else { 0 };
        let mut holding = Self { budget: None, tokens, token_size, value_size, hidden };
        let Some(allowed) = job.memory else { return Ok(holding) };
        let fixed = fixed_bytes(job, longest);
        let needed = fixed + holding.bytes(0);
        if needed > allowed {
            let hint = "give it more with --memory, or less to hold with --samples";
            return Err(lm::Error::Memory {
                what: format!("pruning one block with {tokens} calibration tokens"),
                needed,
                allowed,
                hint: hint.into(),
            }
            .into());
        }
        holding.budget = Some(allowed - fixed);
        Ok(holding)
    }

    /// Whether the input of stage `stage` is kept for all tokens.
    pub(super) fn holds(&self, block: &BlockSpec, stage: usize) -> bool {
        let width = block.stages[stage].linears.first().map_or(0, |linear| linear.inputs);
        self.budget.is_none_or(|budget| self.bytes(width as u64) <= budget)
    }

    /// Bytes of the residual stream and an input `width` wide, of all tokens.
    fn bytes(&self, width: u64) -> u64 {
        self.tokens * ((self.hidden + width) * self.value_size + self.token_size)
    }
}

fn is_weighted(job: &Job<'_>) -> bool {
    job.recipe.token_weights != TokenWeights::Uniform
}

fn value_size(precision: Precision) -> u64 {
    match precision {
        Precision::F32 => 4,
        Precision::Bf16 => 2,
    }
}

/// Bytes a run takes beside the activations of all tokens: the program, one block packed, one
/// linear while it is pruned, one chunk while it runs.
fn fixed_bytes(job: &Job<'_>, longest: usize) -> u64 {
    let model = job.model;
    let blocks = &model.spec().blocks;
    let weights = |block: &BlockSpec| block.linears().map(|l| (l.outputs * l.inputs) as u64).sum();
    let block: u64 = blocks.iter().map(weights).max().unwrap_or(0);
    let linears = blocks.iter().flat_map(BlockSpec::linears);
    let linear = linears.map(|l| (l.outputs * l.inputs) as u64).max().unwrap_or(0);
    let steps = job.recipe.steps();
    let (needs, room) = steps.map_or_else(|_| Default::default(), |s| (s.needs(), s.room()));
    let measured = needs != Needs::NOTHING;
    let grams = if needs.gram { grams(blocks, job.recipe.propagation, room) } else { 0 };
    let copies = match (measured, job.recipe.propagation) {
        (false, _) | (true, Propagation::Staged) => 1,
        (true, Propagation::Reference) => 2,
    };
    let allocation = allocations::find(&job.recipe.allocation).ok();
    let copies = allocation.map_or(copies, |allocation| copies.max(allocation.blocks()));
    let room = allocation.map_or(room, |allocation| room.and(allocation.room()));
    let runs = measured || allocation.is_some_and(|allocation| allocation.needs_calibration());
    // dense and pruned in f32, what the steps take, two masks; then the encoded bytes, the decoded copy
    let pruning = linear * (4 + 4 + 2 + (4 * room.linear_matrices).max(4 + 4));
    // residual, input, queries, keys, values, result of the attention; gate and up of the MLP; the
    // inputs once more, packed for the Gram matrix, and once more, times the roots of their weights
    let widest = blocks.iter().map(|block| block.mlp.intermediate).max().unwrap_or(0) as u64;
    let chunk = if runs { (longest.max(2048) + longest) as u64 } else { 0 };
    let packed = if needs.gram { widest } else { 0 };
    let scaled = if is_weighted(job) { widest } else { 0 };
    let running = chunk * (2 * widest + packed + scaled + 6 * model.spec().hidden as u64) * 4;
    let program = BASE + TOKEN * model.spec().vocabulary as u64;
    program + copies * block * value_size(model.precision()) + pruning + running + grams
}

/// Bytes of the Gram matrices that are held at once, and of what the steps make of the widest.
fn grams(blocks: &[BlockSpec], propagation: Propagation, room: Room) -> u64 {
    let square =
        |stage: &lm::Stage| stage.linears.first().map_or(0, |l| (l.inputs * l.inputs) as u64);
    let of = |block: &BlockSpec| {
        let squares = block.stages.iter().map(square);
        let widest = squares.clone().max().unwrap_or(0);
        let held = match propagation {
            Propagation::Staged => widest,
            Propagation::Reference => squares.sum(),
        };
        held + room.site_matrices * widest
    };
    4 * blocks.iter().map(of).max().unwrap_or(0)
}
