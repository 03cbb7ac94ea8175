//! Activations of all calibration tokens, kept from stage to stage.

use compute::{Linear, Matrix, Precision};
use half::bf16;
use lm::{Batch, BlockState, Frame, Model, Observer};

use crate::{InputStatistics, Needs, Result};

/// Tokens a chunk holds at least, so that short sequences share a product.
const CHUNK_TOKENS: usize = 2048;

/// The activations of all calibration tokens at one stage of a block, in chunks of whole sequences.
///
/// Chunks depend on the calibration data alone, and statistics are added up chunk by chunk, so the
/// result does not depend on memory or threads.
pub(super) struct Activations {
    chunks: Vec<Chunk>,
    precision: Precision,
}

struct Chunk {
    lengths: Vec<usize>,
    residual: Held,
    /// The input of stage `stage`; none at stage 0 where it is made anew from the residual.
    input: Option<Held>,
    stage: usize,
}

/// A matrix at rest: two bytes a value where the arithmetic is bf16, for its values are bf16.
enum Held {
    F32(Matrix),
    Bf16 { rows: usize, cols: usize, values: Vec<bf16> },
}

impl Held {
    fn new(matrix: Matrix, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Held::F32(matrix),
            Precision::Bf16 => Held::Bf16 {
                rows: matrix.rows(),
                cols: matrix.cols(),
                values: matrix.as_slice().iter().map(|value| bf16::from_f32(*value)).collect(),
            },
        }
    }

    fn matrix(&self) -> Matrix {
        match self {
            Held::F32(matrix) => matrix.clone(),
            Held::Bf16 { rows, cols, values } => {
                Matrix::from_vec(*rows, *cols, values.iter().map(|value| value.to_f32()).collect())
            }
        }
    }
}

impl Chunk {
    /// The chunk's state at its own stage.
    fn state(&self, frame: &Frame) -> BlockState {
        let residual = self.residual.matrix();
        match &self.input {
            Some(input) => BlockState { residual, input: input.matrix(), stage: self.stage },
            None => frame.begin(residual),
        }
    }

    /// The chunk's state after the stages of `linears`, the first of which is its own stage.
    fn state_after(&self, frame: &Frame, linears: &[Vec<Linear>]) -> BlockState {
        let mut state = self.state(frame);
        for stage in linears {
            state = frame.step(state, stage, &mut Batch::fresh(&self.lengths));
        }
        state
    }
}

impl Activations {
    /// The embeddings of `sequences`.
    pub(super) fn embed(model: &Model, sequences: &[Vec<u32>]) -> Result<Self> {
        let precision = model.precision();
        let mut chunks = Vec::new();
        let mut rest = sequences;
        while !rest.is_empty() {
            let (sequences, later) = rest.split_at(chunk_length(rest));
            let residual = Held::new(model.embed(&sequences.concat())?, precision);
            let lengths = sequences.iter().map(Vec::len).collect();
            chunks.push(Chunk { lengths, residual, input: None, stage: 0 });
            rest = later;
        }
        Ok(Self { chunks, precision })
    }

    /// The stage the activations stand at.
    pub(super) fn stage(&self) -> usize {
        self.chunks.first().map_or(0, |chunk| chunk.stage)
    }

    /// Statistics of the input of the stage that follows `linears`, run from where the activations
    /// stand; nothing is kept of the way.
    pub(super) fn measure(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<InputStatistics> {
        let stage = self.stage() + linears.len();
        let inputs = frame.spec().stages[stage].linears.first().map_or(0, |linear| linear.inputs);
        let mut statistics = InputStatistics::new(inputs, needs);
        for chunk in &self.chunks {
            observer.check()?;
            let state = chunk.state_after(frame, linears);
            statistics.add(state.input.view(), chunk.lengths.len());
        }
        Ok(statistics)
    }

    /// Statistics of every stage's input, run through the dense block; the activations stay where
    /// they are.
    pub(super) fn measure_block(
        &self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        needs: Needs,
        observer: &dyn Observer,
    ) -> Result<Vec<InputStatistics>> {
        let inputs = |stage: &lm::Stage| stage.linears.first().map_or(0, |linear| linear.inputs);
        let stages = &frame.spec().stages;
        let mut statistics: Vec<_> =
            stages.iter().map(|stage| InputStatistics::new(inputs(stage), needs)).collect();
        for chunk in &self.chunks {
            observer.check()?;
            let mut state = chunk.state(frame);
            for (statistics, linears) in statistics.iter_mut().zip(linears) {
                statistics.add(state.input.view(), chunk.lengths.len());
                state = frame.step(state, linears, &mut Batch::fresh(&chunk.lengths));
            }
        }
        Ok(statistics)
    }

    /// Runs the stages of `linears` and keeps the activations after them.
    pub(super) fn advance(
        &mut self,
        frame: &Frame,
        linears: &[Vec<Linear>],
        observer: &dyn Observer,
    ) -> Result<()> {
        for chunk in &mut self.chunks {
            observer.check()?;
            let state = chunk.state_after(frame, linears);
            let done = state.stage == frame.spec().stages.len();
            chunk.stage = if done { 0 } else { state.stage };
            chunk.residual = Held::new(state.residual, self.precision);
            chunk.input = (!done).then(|| Held::new(state.input, self.precision));
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
