//! Activations of all calibration tokens, kept from stage to stage.

use compute::{Linear, Matrix, MatrixRef, Precision};
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
    /// More values may follow those of the matrix: memory once taken is used again from block to
    /// block.
    Bf16 {
        rows: usize,
        cols: usize,
        values: Vec<bf16>,
    },
}

impl Held {
    /// A matrix without values.
    fn empty(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Held::F32(Matrix::default()),
            Precision::Bf16 => Held::Bf16 { rows: 0, cols: 0, values: Vec::new() },
        }
    }

    /// Takes the values of `matrix`, in the memory it has.
    fn store(&mut self, matrix: &Matrix) {
        match self {
            Held::F32(held) => copy(matrix, held),
            Held::Bf16 { rows, cols, values } => {
                (*rows, *cols) = (matrix.rows(), matrix.cols());
                let count = matrix.as_slice().len();
                if values.len() < count {
                    // none of the old values is wanted
                    *values = Vec::new();
                    values.resize(count, bf16::ZERO);
                }
                compute::narrow(matrix.as_slice(), &mut values[..count]);
            }
        }
    }

    /// Writes the values into `matrix`, whose memory is used again.
    fn load(&self, matrix: &mut Matrix) {
        match self {
            Held::F32(held) => copy(held, matrix),
            Held::Bf16 { rows, cols, values } => {
                matrix.reshape(*rows, *cols);
                compute::widen(&values[..rows * cols], matrix.as_mut_slice());
            }
        }
    }
}

/// Copies a matrix into the memory of another.
fn copy(from: &Matrix, to: &mut Matrix) {
    to.reshape(from.rows(), from.cols());
    to.as_mut_slice().copy_from_slice(from.as_slice());
}

impl Chunk {
    /// The chunk's state at its own stage, for `stages` stages to be run, in the memory of `scratch`. The
    /// residual is there only if it is needed.
    pub(super) fn state(&self, frame: &Frame, stages: usize, scratch: Scratch) -> BlockState {
        let Scratch { mut residual, mut input } = scratch;
        if self.stage == 0 {
            self.residual.load(&mut residual);
            return frame.begin(residual);
        }
        if self.changes_residual(frame, self.stage + stages) {
            self.residual.load(&mut residual);
        }
        self.input.load(&mut input);
        BlockState { residual, input, stage: self.stage }
    }

    /// Whether a stage from the chunk's own one up to `end` changes the residual.
    fn changes_residual(&self, frame: &Frame, end: usize) -> bool {
        frame.spec().stages[self.stage..end].iter().any(|stage| stage.site.changes_residual())
    }

    /// The chunk's state after the stages of `linears`, the first of which is its own stage.
    fn state_after(&self, frame: &Frame, linears: &[Vec<Linear>], scratch: Scratch) -> BlockState {
        let mut state = self.state(frame, linears.len(), scratch);
        for stage in linears {
            state = frame.step(state, stage, &mut Batch::fresh(&self.lengths));
        }
        state
    }

    /// The chunk's state after a whole block of `linears`, each stage's input taken into its
    /// statistics.
    fn measured(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        statistics: &mut [InputStatistics],
        scratch: Scratch,
    ) -> BlockState {
        let mut state = self.state(frame, linears.len(), scratch);
        for (statistics, linears) in statistics.iter_mut().zip(linears) {
            self.add_to(statistics, state.input.view());
            state = frame.step(state, linears, &mut Batch::fresh(&self.lengths));
        }
        state
    }

    /// Takes `input`, the input of a site of all the chunk's tokens, into its statistics.
    fn add_to(&self, statistics: &mut InputStatistics, input: MatrixRef<'_>) {
        match &self.weights {
            Some(weights) => statistics.add_weighted(input, weights, self.lengths.len()),
            None => statistics.add(input, self.lengths.len()),
        }
    }

    /// Holds `state` from now on: the input of the next stage, or none where the block is done.
    fn keep(&mut self, state: &BlockState, frame: &Frame) {
        let done = state.stage == frame.spec().stages.len();
        if self.changes_residual(frame, state.stage) {
            self.residual.store(&state.residual);
        }
        self.stage = if done { 0 } else { state.stage };
        if !done {
            self.input.store(&state.input);
        }
    }
}

/// Memory that goes from chunk to chunk.
#[derive(Default)]
pub(super) struct Scratch {
    residual: Matrix,
    input: Matrix,
}

impl Scratch {
    pub(super) fn of(state: BlockState) -> Self {
        Self { residual: state.residual, input: state.input }
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
        let mut scratch = Scratch::default();
        for chunk in &self.chunks {
            observer.check()?;
            if linears.is_empty() && chunk.stage > 0 {
                chunk.input.load(&mut scratch.input);
            } else {
                scratch = Scratch::of(chunk.state_after(frame, linears, scratch));
            }
            chunk.add_to(&mut statistics, scratch.input.view());
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
        let mut scratch = Scratch::default();
        for chunk in &self.chunks {
            observer.check()?;
            scratch = Scratch::of(chunk.measured(frame, linears, &mut statistics, scratch));
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
        let mut scratch = Scratch::default();
        for chunk in &mut self.chunks {
            observer.check()?;
            let state = chunk.measured(frame, linears, &mut statistics, scratch);
            chunk.keep(&state, frame);
            scratch = Scratch::of(state);
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
            let other = chunk.state_after(frame, other, Scratch::default()).residual;
            let state = chunk.state_after(frame, dense, Scratch::default());
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
            chunk.add_to(&mut statistics, state.input.view());
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
        let mut scratch = Scratch::default();
        for chunk in &mut self.chunks {
            observer.check()?;
            let state = chunk.state_after(frame, linears, scratch);
            look(chunk, &state);
            chunk.keep(&state, frame);
            scratch = Scratch::of(state);
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
