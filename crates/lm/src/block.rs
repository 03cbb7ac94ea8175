//! One decoder layer, run stage by stage.

use std::ops::Range;

use compute::{
    CachedSequence, KeyValueCache, Linear, LinearInput, Matrix, Precision, Rope, Sequence,
    add_rms_norm, attention_received, causal_attention_batch, causal_attention_cached, rms_norm,
};

use crate::{BlockSpec, Site};

/// What a block holds beside its linears: norms and position embedding.
///
/// The sweep steps a frame with linears it prunes on the way; a [`Block`] is a frame with its
/// linears. There is one forward pass, this one.
#[derive(Clone, Debug)]
pub struct Frame {
    spec: BlockSpec,
    attention_norm: Vec<f32>,
    mlp_norm: Vec<f32>,
    rope: Rope,
    precision: Precision,
}

/// The sequences of a forward pass: the rows of a state are their tokens, one after another.
#[derive(Debug)]
pub struct Batch<'a> {
    lengths: &'a [usize],
    past: Option<&'a mut [KeyValueCache]>,
}

/// Where a forward pass stands between two stages of a block; of no tokens unless made otherwise.
#[derive(Clone, Debug, Default)]
pub struct BlockState {
    /// The residual stream, `[tokens, hidden]`.
    pub residual: Matrix,
    /// The input of the next stage's linears, `[tokens, in]`.
    pub input: LinearInput,
    /// The next stage; the number of stages once the block is done.
    pub stage: usize,
}

/// A block with its linears, stage by stage.
#[derive(Clone, Debug)]
pub struct Block {
    pub(crate) frame: Frame,
    pub(crate) stages: Vec<Vec<Linear>>,
}

impl<'a> Batch<'a> {
    /// Sequences that start at position 0 and see nothing but themselves.
    pub fn fresh(lengths: &'a [usize]) -> Self {
        Self { lengths, past: None }
    }

    /// Sequences that go on where `past` ends, one entry per sequence; their new keys and values
    /// are appended to it.
    ///
    /// # Panics
    /// When there is not one past per sequence.
    pub fn cached(lengths: &'a [usize], past: &'a mut [KeyValueCache]) -> Self {
        assert_eq!(lengths.len(), past.len(), "one past per sequence");
        Self { lengths, past: Some(past) }
    }

    /// The position of every token within its sequence.
    fn positions(&self) -> Vec<usize> {
        let start = |index: usize| self.past.as_ref().map_or(0, |past| past[index].tokens());
        let sequences = self.lengths.iter().enumerate();
        sequences.flat_map(|(index, &length)| start(index)..start(index) + length).collect()
    }

    /// The rows of every sequence.
    fn rows(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let rows = self.lengths.iter().map(|length| {
            end += length;
            end - length..end
        });
        rows.collect()
    }
}

impl Frame {
    /// A frame from the scales of its norms (`[hidden]` each).
    pub(crate) fn new(spec: BlockSpec, norms: [Vec<f32>; 2], precision: Precision) -> Self {
        let rope = spec.rope.rope(spec.attention.head_dim);
        let [attention_norm, mlp_norm] = norms;
        Self { spec, attention_norm, mlp_norm, rope, precision }
    }

    /// What the block is made of.
    pub fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    /// The state before the first stage; `residual` is `[tokens, hidden]`.
    pub fn begin(&self, residual: Matrix) -> BlockState {
        let epsilon = self.spec.attention_norm.epsilon;
        let input = rms_norm(residual.view(), &self.attention_norm, epsilon, self.precision);
        BlockState { residual, input, stage: 0 }
    }

    /// Runs the linears of one stage and what follows them up to the next stage's input.
    ///
    /// # Panics
    /// When `linears` are not those of `state.stage`.
    pub fn step(&self, state: BlockState, linears: &[Linear], batch: &mut Batch<'_>) -> BlockState {
        let BlockState { mut residual, input: used, stage } = state;
        let input = match (self.spec.stages[stage].site, linears) {
            (Site::AttentionInput, [q, k, v]) => self.attend([q, k, v], &used, batch),
            (Site::AttentionOutput, [output]) => {
                let [update] = Linear::apply_all([output], &used);
                let norm = (self.mlp_norm.as_slice(), self.spec.mlp_norm.epsilon);
                let normed = add_rms_norm(&mut residual, &update, norm, self.precision);
                update.recycle();
                normed
            }
            (Site::MlpInput, [gated, up]) => {
                Linear::apply_gated([gated, up], &used, self.spec.mlp.activation)
            }
            (Site::MlpOutput, [down]) => {
                let [update] = Linear::apply_all([down], &used);
                residual.add_rounded(&update, self.precision);
                update.recycle();
                LinearInput::default()
            }
            (site, linears) => panic!("{} linears at {site:?}", linears.len()),
        };
        used.recycle();
        BlockState { residual, input, stage: stage + 1 }
    }

    /// The attention that every token receives from the queries of its sequence, summed over heads
    /// and queries, `[tokens]` for each sequence of `lengths`.
    ///
    /// `linears` are the first stage's, `input` is its input, `[tokens, hidden]`.
    ///
    /// # Panics
    /// When `linears` are not those of the first stage.
    pub fn attention_received(
        &self,
        linears: &[Linear],
        input: &LinearInput,
        lengths: &[usize],
    ) -> Vec<Vec<f64>> {
        let [q, k, _] = linears else { panic!("{} linears before the attention", linears.len()) };
        let batch = Batch::fresh(lengths);
        let positions = batch.positions();
        let [q, k] = Linear::apply_all([q, k], input).map(|it| self.rotated(it, &positions));
        let sequence = |rows: Range<usize>| (q.view_rows(rows.clone()), k.view_rows(rows));
        let sequences: Vec<_> = batch.rows().into_iter().map(sequence).collect();
        let received = attention_received(&self.spec.attention, &sequences, self.precision);
        [q, k].into_iter().for_each(Matrix::recycle);
        received
    }

    /// Queries or keys, rotated.
    fn rotated(&self, mut vectors: Matrix, positions: &[usize]) -> Matrix {
        self.rope.rotate(&mut vectors, positions, self.precision);
        vectors
    }

    /// Queries, keys and values of `input`, rotated, and the attention's result.
    fn attend(
        &self,
        linears: [&Linear; 3],
        input: &LinearInput,
        batch: &mut Batch<'_>,
    ) -> LinearInput {
        let positions = batch.positions();
        let [q, k, v] = Linear::apply_all(linears, input);
        let [q, k] = [q, k].map(|vectors| self.rotated(vectors, &positions));
        let rows = batch.rows();
        let sequence = |rows: &Range<usize>| Sequence {
            q: q.view_rows(rows.clone()),
            k: k.view_rows(rows.clone()),
            v: v.view_rows(rows.clone()),
        };
        let context = match &mut batch.past {
            None => {
                let sequences: Vec<_> = rows.iter().map(sequence).collect();
                let shape = &self.spec.attention;
                causal_attention_batch(shape, &sequences, self.precision)
            }
            Some(past) => {
                let sequences = past.iter_mut().zip(&rows).map(|(past, rows)| {
                    let Sequence { q, k, v } = sequence(rows);
                    CachedSequence { q, k, v, past }
                });
                let mut sequences: Vec<_> = sequences.collect();
                causal_attention_cached(&self.spec.attention, &mut sequences)
            }
        };
        [q, k, v].into_iter().for_each(Matrix::recycle);
        context
    }
}

impl Block {
    /// What the block is made of.
    pub fn spec(&self) -> &BlockSpec {
        &self.frame.spec
    }

    /// Its linears, stage by stage, as [`Frame::step`] takes them.
    pub fn stages(&self) -> &[Vec<Linear>] {
        &self.stages
    }

    /// The whole block: residual stream in, residual stream out, `[tokens, hidden]`.
    pub fn run(&self, residual: Matrix, batch: &mut Batch<'_>) -> Matrix {
        self.run_watched(residual, batch, |_, _| {})
    }

    /// [`Block::run`], with every stage's number and input, `[tokens, in]`, shown to `watch`.
    pub fn run_watched(
        &self,
        residual: Matrix,
        batch: &mut Batch<'_>,
        mut watch: impl FnMut(usize, &LinearInput),
    ) -> Matrix {
        let mut state = self.frame.begin(residual);
        for linears in &self.stages {
            watch(state.stage, &state.input);
            state = self.frame.step(state, linears, batch);
        }
        state.residual
    }
}
