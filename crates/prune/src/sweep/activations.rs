//! Activations of all calibration tokens, kept from stage to stage.

use compute::{Linear, LinearInput, Matrix, Precision, awake};
use half::bf16;
use lm::{Batch, BlockState, Frame, Model, Observer};

use crate::{InputStatistics, Needs, Result};

/// Tokens a chunk holds at least, so that short sequences share a product.
const CHUNK_TOKENS: usize = 2048;

/// The activations of all calibration tokens at one stage of a block, in chunks of whole sequences.
///
/// Chunks depend on the calibration data alone, and statistics are added up chunk by chunk, so the
/// result does not depend on memory or threads.
pub(crate) struct Activations {
    pub(super) chunks: Vec<Chunk>,
}

pub(super) struct Chunk {
    pub(super) lengths: Vec<usize>,
    /// The weight of every token in the statistics; all count alike where there are none.
    pub(super) weights: Option<Vec<f32>>,
    residual: Held,
    /// The input of stage `stage`, but at stage 0, where it is made anew from the residual.
    input: Held,
    stage: usize,
}

/// A matrix at rest: two bytes a value where the arithmetic is bf16, for its values are bf16.
enum Held {
    F32(Matrix),
    Bf16(Narrow),
}

/// A matrix of bf16 numbers, `[rows, cols]`.
#[derive(Default)]
struct Narrow {
    rows: usize,
    cols: usize,
    /// More values may follow those of the matrix: memory once taken is used again from block to
    /// block.
    values: Vec<bf16>,
}

impl Held {
    /// A matrix without values.
    fn empty(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Held::F32(Matrix::default()),
            Precision::Bf16 => Held::Bf16(Narrow::default()),
        }
    }

    /// Takes the values of `matrix`, in the memory it has.
    fn store(&mut self, matrix: &Matrix) {
        match self {
            Held::F32(held) => copy(matrix, held),
            Held::Bf16(held) => {
                let values = held.reshape(matrix.rows(), matrix.cols());
                compute::narrow(matrix.as_slice(), values);
            }
        }
    }

    /// Takes the values of `input`, in the memory it has.
    fn store_input(&mut self, input: &LinearInput) {
        match self {
            Held::F32(held) => input.unpack_into(held),
            Held::Bf16(held) => input.narrow_into(held.reshape(input.rows(), input.cols())),
        }
    }

    /// Writes the values into `matrix`, whose memory is used again.
    fn load(&self, matrix: &mut Matrix) {
        match self {
            Held::F32(held) => copy(held, matrix),
            Held::Bf16(held) => {
                matrix.reshape(held.rows, held.cols);
                compute::widen(held.values(), matrix.as_mut_slice());
            }
        }
    }

    /// The values as the input of linears.
    fn to_input(&self) -> LinearInput {
        match self {
            Held::F32(held) => LinearInput::pack(held.view(), Precision::F32),
            Held::Bf16(held) => LinearInput::from_bf16(held.rows, held.cols, held.values()),
        }
    }
}

impl Narrow {
    /// Makes this `[rows, cols]`; the values are whatever was there.
    fn reshape(&mut self, rows: usize, cols: usize) -> &mut [bf16] {
        (self.rows, self.cols) = (rows, cols);
        if self.values.len() < rows * cols {
            // none of the old values is wanted
            self.values = Vec::new();
            self.values.resize(rows * cols, bf16::ZERO);
        }
        &mut self.values[..rows * cols]
    }

    fn values(&self) -> &[bf16] {
        &self.values[..self.rows * self.cols]
    }
}

/// Copies a matrix into the memory of another.
fn copy(from: &Matrix, to: &mut Matrix) {
    to.reshape(from.rows(), from.cols());
    to.as_mut_slice().copy_from_slice(from.as_slice());
}

impl Chunk {
    /// The chunk's state at its own stage, for `stages` stages to be run, in the memory of a state before.
    /// The residual is there only if it is needed.
    pub(super) fn state(&self, frame: &Frame, stages: usize, memory: BlockState) -> BlockState {
        let BlockState { mut residual, input, .. } = memory;
        input.recycle();
        if self.stage == 0 {
            self.residual.load(&mut residual);
            return frame.begin(residual);
        }
        if self.changes_residual(frame, self.stage + stages) {
            self.residual.load(&mut residual);
        }
        BlockState { residual, input: self.input.to_input(), stage: self.stage }
    }

    /// Whether a stage from the chunk's own one up to `end` changes the residual.
    fn changes_residual(&self, frame: &Frame, end: usize) -> bool {
        frame.spec().stages[self.stage..end].iter().any(|stage| stage.site.changes_residual())
    }

    /// The chunk's state after the stages of `linears`, the first of which is its own stage.
    fn state_after(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        memory: BlockState,
    ) -> BlockState {
        awake(|| {
            let mut state = self.state(frame, linears.len(), memory);
            for stage in linears {
                state = frame.step(state, stage, &mut Batch::fresh(&self.lengths));
            }
            state
        })
    }

    /// The chunk's state after a whole block of `linears`, each stage's input taken into its
    /// statistics.
    fn measured(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        statistics: &mut [InputStatistics],
        memory: BlockState,
    ) -> BlockState {
        awake(|| {
            let mut state = self.state(frame, linears.len(), memory);
            for (statistics, linears) in statistics.iter_mut().zip(linears) {
                self.add_to(statistics, &state.input);
                state = frame.step(state, linears, &mut Batch::fresh(&self.lengths));
            }
            state
        })
    }

    /// Takes `input`, the input of a site of all the chunk's tokens, into its statistics.
    fn add_to(&self, statistics: &mut InputStatistics, input: &LinearInput) {
        let Some(weights) = &self.weights else {
            return statistics.add_input(input, self.lengths.len());
        };
        let input = input.to_matrix();
        statistics.add_weighted(input.view(), weights, self.lengths.len());
        input.recycle();
    }

    /// Holds `state` from now on: the input of the next stage, or none where the block is done.
    fn keep(&mut self, state: &BlockState, frame: &Frame) {
        let done = state.stage == frame.spec().stages.len();
        if self.changes_residual(frame, state.stage) {
            self.residual.store(&state.residual);
        }
        self.stage = if done { 0 } else { state.stage };
        if !done {
            self.input.store_input(&state.input);
        }
    }
}

/// Statistics of no tokens yet for every stage of a block.
fn no_statistics(frame: &Frame, needs: Needs) -> Vec<InputStatistics> {
    frame.spec().stages.iter().map(|stage| InputStatistics::of_stage(stage, needs)).collect()
}

impl Activations {
    /// The embeddings of `sequences`.
    pub(crate) fn embed(model: &Model, sequences: &[Vec<u32>]) -> Result<Self> {
        let precision = model.precision();
        let mut chunks = Vec::new();
        let mut rest = sequences;
        while !rest.is_empty() {
            let (sequences, later) = rest.split_at(chunk_length(rest));
            let [mut residual, input] = [Held::empty(precision), Held::empty(precision)];
            residual.store(&model.embed(&sequences.concat())?);
            let lengths = sequences.iter().map(Vec::len).collect();
            chunks.push(Chunk { lengths, weights: None, residual, input, stage: 0 });
            rest = later;
        }
        Ok(Self { chunks })
    }

    /// The stage the activations stand at.
    pub(crate) fn stage(&self) -> usize {
        self.chunks.first().map_or(0, |chunk| chunk.stage)
    }

    /// Statistics of the input of the stage that follows `linears`, run from where the activations
    /// stand; nothing is kept of the way.
    pub(crate) fn measure(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<InputStatistics> {
        let stage = &frame.spec().stages[self.stage() + linears.len()];
        let mut statistics = InputStatistics::of_stage(stage, needs);
        let mut state = BlockState::default();
        for chunk in &self.chunks {
            observer.check()?;
            if linears.is_empty() && chunk.stage > 0 {
                let input = chunk.input.to_input();
                chunk.add_to(&mut statistics, &input);
                input.recycle();
            } else {
                state = chunk.state_after(frame, linears, state);
                chunk.add_to(&mut statistics, &state.input);
            }
        }
        Ok(statistics)
    }

    /// Statistics of every stage's input, run through the dense block; the activations stay where
    /// they are.
    pub(crate) fn measure_block(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<Vec<InputStatistics>> {
        let mut statistics = no_statistics(frame, needs);
        let mut state = BlockState::default();
        for chunk in &self.chunks {
            observer.check()?;
            state = chunk.measured(frame, linears, &mut statistics, state);
        }
        Ok(statistics)
    }

    /// [`Activations::measure_block`], after which the activations are those that the block gives.
    pub(crate) fn measure_and_advance(
        &mut self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<Vec<InputStatistics>> {
        let mut statistics = no_statistics(frame, needs);
        let mut state = BlockState::default();
        for chunk in &mut self.chunks {
            observer.check()?;
            state = chunk.measured(frame, linears, &mut statistics, state);
            chunk.keep(&state, frame);
        }
        Ok(statistics)
    }

    /// `‖dense output − other output‖² / ‖dense output‖²` of a block whose linears are `dense` or
    /// `other`, over all tokens; the activations go on through the dense block.
    pub(crate) fn compare_and_advance(
        &mut self,
        frame: &Frame,
        dense: &[Vec<Linear>],
        other: &[Vec<Linear>],
        observer: &dyn Observer,
    ) -> Result<f64> {
        let (mut difference, mut total) = (0.0, 0.0);
        for chunk in &mut self.chunks {
            observer.check()?;
            let other = chunk.state_after(frame, other, BlockState::default()).residual;
            let state = chunk.state_after(frame, dense, BlockState::default());
            for (dense, other) in state.residual.as_slice().iter().zip(other.as_slice()) {
                difference += f64::from(dense - other).powi(2);
                total += f64::from(*dense).powi(2);
            }
            chunk.keep(&state, frame);
        }
        Ok(if total > 0.0 { difference / total } else { 0.0 })
    }

    /// Runs the stages of `linears` and keeps the activations after them.
    pub(crate) fn advance(
        &mut self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        observer: &dyn Observer,
    ) -> Result<()> {
        self.advance_with(frame, linears, observer, |_, _| {})
    }

    /// [`Activations::advance`], and statistics of the input of the stage they then stand at: what
    /// [`Activations::measure`] would give, without another look at them.
    pub(crate) fn advance_and_measure(
        &mut self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<InputStatistics> {
        let stage = &frame.spec().stages[self.stage() + linears.len()];
        let mut statistics = InputStatistics::of_stage(stage, needs);
        self.advance_with(frame, linears, observer, |chunk, state| {
            chunk.add_to(&mut statistics, &state.input);
        })?;
        Ok(statistics)
    }

    fn advance_with(
        &mut self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        observer: &dyn Observer,
        mut look: impl FnMut(&Chunk, &BlockState),
    ) -> Result<()> {
        let mut state = BlockState::default();
        for chunk in &mut self.chunks {
            observer.check()?;
            state = chunk.state_after(frame, linears, state);
            look(chunk, &state);
            chunk.keep(&state, frame);
        }
        Ok(())
    }
}

/// How many of the first sequences make one chunk.
fn chunk_length(sequences: &[Vec<u32>]) -> usize {
    let mut tokens = 0;
    let full = sequences.iter().position(|sequence| {
        tokens += sequence.len();
        tokens >= CHUNK_TOKENS
    });
    full.map_or(sequences.len(), |last| last + 1)
}
