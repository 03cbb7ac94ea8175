//! The weights of the calibration tokens, block by block.

use calib::CalibrationSet;
use compute::Linear;
use lm::{BlockSpec, BlockState, Frame, Observer, Spec};

use super::activations::Activations;
use crate::token_weights::by_attention;
use crate::{Result, TokenWeights};

impl Activations {
    /// From now on only the first `tokens` of every sequence count.
    pub(super) fn count_first(&mut self, tokens: usize) {
        for chunk in &mut self.chunks {
            let positions = chunk.lengths.iter().flat_map(|length| 0..*length);
            let weight = |position: usize| if position < tokens { 1.0 } else { 0.0 };
            chunk.weights = Some(positions.map(weight).collect());
        }
    }

    /// From now on tokens count by the attention they receive in the block of `frame`, before which
    /// the activations stand; `linears` are those of its first stage, `least` is the smallest weight
    /// relative to the largest.
    pub(super) fn count_by_attention(
        &mut self,
        frame: &Frame,
        linears: &[Linear],
        least: f64,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut state = BlockState::default();
        for chunk in &mut self.chunks {
            observer.check()?;
            state = chunk.state(frame, 0, state);
            let received = frame.attention_received(linears, &state.input, &chunk.lengths);
            let weights = received.iter().flat_map(|received| by_attention(received, least));
            chunk.weights = Some(weights.collect());
        }
        Ok(())
    }
}

/// What users should know of the token weights: their cost, where they have any.
pub(super) fn note(
    weights: TokenWeights,
    spec: &Spec,
    calibration: Option<&CalibrationSet>,
) -> Option<String> {
    let (TokenWeights::Attention { .. }, Some(set)) = (weights, calibration) else { return None };
    let (mut forward, mut more) = (0.0, 0.0);
    for block in &spec.blocks {
        let [block_forward, block_more] = products(block, set);
        (forward, more) = (forward + block_forward, more + block_more);
    }
    Some(format!(
        "token weights by attention took {:.0} % more multiplications than a forward pass alone, \
         and Gram matrices in f32",
        100.0 * more / forward
    ))
}

/// Multiplications of a forward pass through a block, and those of the attention that its tokens
/// receive: queries, keys, and their products twice.
fn products(block: &BlockSpec, set: &CalibrationSet) -> [f64; 2] {
    let lengths = || set.sequences.iter().map(|sequence| sequence.len() as f64);
    let tokens: f64 = lengths().sum();
    let pairs: f64 = lengths().map(|length| length * (length + 1.0) / 2.0).sum();
    let scores = pairs * block.attention.query_width() as f64;
    let size = |linear: &lm::LinearSpec| (linear.inputs * linear.outputs) as f64;
    let linears: f64 = block.linears().map(size).sum();
    let projections: f64 = block.stages[0].linears.iter().take(2).map(size).sum();
    [tokens * linears + 2.0 * scores, tokens * projections + 2.0 * scores]
}
