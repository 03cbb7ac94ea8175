//! A checkpoint as a model that can run.

use std::sync::OnceLock;

use compute::{Linear, LogProbability, Matrix, MatrixRef, Precision, log_softmax, rms_norm};
use rayon::prelude::*;

use crate::block::Frame;
use crate::{
    Block, BlockSpec, Checkpoint, Error, Head, Norm, Observer, Result, Spec, cost, families,
};

/// A checkpoint with its [`Spec`]. Weights are read when a part of the model is loaded, so an
/// opened model takes no memory to speak of.
pub struct Model {
    checkpoint: Checkpoint,
    spec: Spec,
    precision: Precision,
    /// The checkpoint's digest, once it was asked for.
    digest: OnceLock<String>,
}

/// The final norm and the output projection.
pub struct OutputHead {
    norm: Vec<f32>,
    epsilon: f32,
    linear: Linear,
    precision: Precision,
}

impl Model {
    /// Reads the configuration and checks every tensor's shape against it.
    ///
    /// # Errors
    /// When no family knows the architecture, or a tensor is missing or of the wrong shape, or the
    /// tokenizer has more tokens than the embedding has rows.
    pub fn new(checkpoint: Checkpoint, precision: Precision) -> Result<Self> {
        let spec = families::spec(&checkpoint.config)?;
        for (name, shape) in spec.tensors() {
            let found = &checkpoint.store.info(&name)?.shape;
            if *found != shape {
                let problem = format!("config.json asks for the shape {shape:?}, {found:?} found");
                return Err(Error::tensor(name, problem));
            }
        }
        let tokens = checkpoint.tokenizer.vocabulary();
        if tokens > spec.vocabulary {
            return Err(Error::Tokenizer(format!(
                "it has {tokens} tokens, the embedding {} has {} rows",
                spec.embedding, spec.vocabulary
            )));
        }
        Ok(Self { checkpoint, spec, precision, digest: OnceLock::new() })
    }

    /// What the model is made of.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The checkpoint it runs from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The [digest](Checkpoint::digest) of its checkpoint, computed when it is first asked for.
    ///
    /// # Errors
    /// As [`Checkpoint::digest`].
    pub fn digest(&self, observer: &dyn Observer) -> Result<&str> {
        if let Some(known) = self.digest.get() {
            return Ok(known);
        }
        let digest = self.checkpoint.digest(observer)?;
        Ok(self.digest.get_or_init(|| digest))
    }

    /// The arithmetic it runs in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Embeddings of `tokens`, `[tokens, hidden]`: the residual stream before the first block.
    ///
    /// # Errors
    /// When a token is outside the vocabulary, or a value is not finite.
    pub fn embed(&self, tokens: &[u32]) -> Result<Matrix> {
        let mut residual = Matrix::zeros(tokens.len(), self.spec.hidden);
        let rows = residual.as_mut_slice().par_chunks_mut(self.spec.hidden);
        let embedded = rows.zip(tokens).map(|(row, &token)| self.embed_token(token as usize, row));
        embedded.collect::<Result<()>>()?;
        Ok(residual)
    }

    /// Writes the embedding of one token, `[hidden]`.
    fn embed_token(&self, token: usize, values: &mut [f32]) -> Result<()> {
        let name = &self.spec.embedding;
        if token >= self.spec.vocabulary {
            let problem = format!("token {token} found, {} rows", self.spec.vocabulary);
            return Err(Error::tensor(name, problem));
        }
        let tensor = self.checkpoint.store.read_rows(name, token..token + 1)?;
        values.copy_from_slice(&tensor.to_f32());
        if let Some(at) = compute::first_non_finite(values) {
            return Err(not_finite(name, token * self.spec.hidden + at, values[at]));
        }
        self.precision.round_slice(values);
        Ok(())
    }

    /// The norms and position embedding of block `index`.
    ///
    /// # Errors
    /// When a tensor cannot be read or holds values that are not finite.
    pub fn frame(&self, index: usize) -> Result<Frame> {
        let spec: &BlockSpec = &self.spec.blocks[index];
        let norms = [self.norm(&spec.attention_norm)?, self.norm(&spec.mlp_norm)?];
        Ok(Frame::new(spec.clone(), norms, self.precision))
    }

    /// Block `index` with its linears.
    ///
    /// # Errors
    /// When a tensor cannot be read or holds values that are not finite.
    pub fn block(&self, index: usize) -> Result<Block> {
        let frame = self.frame(index)?;
        let stage = |stage: &crate::Stage| stage.linears.iter().map(|l| self.linear(l)).collect();
        let stages = frame.spec().stages.iter().map(stage).collect::<Result<_>>()?;
        Ok(Block { frame, stages })
    }

    /// Every block with its linears, in order.
    ///
    /// # Errors
    /// As [`Model::block`], or when the observer cancels.
    pub fn blocks(&self, observer: &dyn Observer) -> Result<Vec<Block>> {
        observer.started("loading blocks", self.spec.blocks.len() as u64);
        let load = |index| {
            observer.check()?;
            let block = self.block(index)?;
            observer.advanced(1);
            Ok(block)
        };
        let blocks = (0..self.spec.blocks.len()).map(load).collect();
        observer.finished();
        blocks
    }

    /// The final norm and the output projection.
    ///
    /// # Errors
    /// When a tensor cannot be read or holds values that are not finite.
    pub fn head(&self) -> Result<OutputHead> {
        let name = match &self.spec.head {
            Head::Tied => &self.spec.embedding,
            Head::Own(name) => name,
        };
        Ok(OutputHead {
            norm: self.norm(&self.spec.final_norm)?,
            epsilon: self.spec.final_norm.epsilon,
            linear: self.linear_in_parts(name)?,
            precision: self.precision,
        })
    }

    /// A linear without a bias, read some rows at a time: the largest tensor of a model is never whole
    /// beside its laid-out form.
    fn linear_in_parts(&self, name: &str) -> Result<Linear> {
        let store = &self.checkpoint.store;
        let rows = cost::HEAD_VALUES / self.spec.hidden.max(1);
        let shape = (self.spec.vocabulary, self.spec.hidden);
        let linear = Linear::try_in_parts(shape, self.precision, rows, |rows| {
            let part = store.read_rows(name, rows.clone())?.to_f32();
            all_finite(name, &part)?;
            Ok(Matrix::from_vec(rows.len(), self.spec.hidden, part))
        });
        store.release(name);
        linear
    }

    /// A linear's weights, `[out, in]`, as the checkpoint holds them.
    ///
    /// # Errors
    /// When the tensor cannot be read or holds values that are not finite.
    pub fn matrix(&self, name: &str) -> Result<Matrix> {
        let tensor = self.checkpoint.store.read(name)?;
        let values = tensor.to_f32();
        self.checkpoint.store.release(name);
        all_finite(name, &values)?;
        let [rows, cols] = tensor.info.shape[..] else {
            let problem = format!("two dimensions expected, {:?} found", tensor.info.shape);
            return Err(Error::tensor(name, problem));
        };
        Ok(Matrix::from_vec(rows, cols, values))
    }

    /// A linear as the checkpoint holds it, ready to run.
    ///
    /// # Errors
    /// When a tensor cannot be read or holds values that are not finite.
    pub fn linear(&self, spec: &crate::LinearSpec) -> Result<Linear> {
        Ok(Linear::new(self.matrix(&spec.tensor)?, self.bias(spec)?, self.precision))
    }

    /// A linear's bias, `[out]`, where it has one.
    ///
    /// # Errors
    /// When the tensor cannot be read or holds values that are not finite.
    pub fn bias(&self, spec: &crate::LinearSpec) -> Result<Option<Vec<f32>>> {
        spec.bias.as_ref().map(|name| self.vector(name)).transpose()
    }

    fn norm(&self, norm: &Norm) -> Result<Vec<f32>> {
        let mut values = self.vector(&norm.tensor)?;
        self.precision.round_slice(&mut values);
        Ok(values)
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let values = self.checkpoint.store.read(name)?.to_f32();
        self.checkpoint.store.release(name);
        all_finite(name, &values)?;
        Ok(values)
    }
}

impl OutputHead {
    /// Number of logits of a token.
    pub fn vocabulary(&self) -> usize {
        self.linear.outputs()
    }

    /// The log-probabilities of the tokens that `wanted` names, `(row, token)` sorted by rows, where the
    /// residual stream after the last block is `residual`, `[tokens, hidden]`.
    ///
    /// # Panics
    /// When `wanted` is not sorted or names a row or a token that is not there.
    pub fn log_probabilities(
        &self,
        residual: MatrixRef<'_>,
        wanted: &[(usize, usize)],
    ) -> Vec<LogProbability> {
        let normed = rms_norm(residual, &self.norm, self.epsilon, self.precision);
        let found = log_softmax(&self.linear, &normed, wanted);
        normed.recycle();
        found
    }

    /// Logits, `[tokens, vocabulary]`, of the residual stream after the last block.
    pub fn logits(&self, residual: MatrixRef<'_>) -> Matrix {
        let normed = rms_norm(residual, &self.norm, self.epsilon, self.precision);
        let [logits] = Linear::apply_all([&self.linear], &normed);
        normed.recycle();
        logits
    }
}

/// An error that names the first value of `name` that is NaN or infinite.
fn all_finite(name: &str, values: &[f32]) -> Result<()> {
    match compute::first_non_finite(values) {
        None => Ok(()),
        Some(index) => Err(not_finite(name, index, values[index])),
    }
}

fn not_finite(name: &str, index: usize, value: f32) -> Error {
    Error::tensor(name, format!("value {index} is {value}; every weight must be finite"))
}
