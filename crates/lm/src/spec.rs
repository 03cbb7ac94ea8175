//! What a model is made of, as its family reads it from the configuration.

use compute::{Activation, AttentionShape};
use serde::{Deserialize, Serialize};

/// A decoder-only language model, described but not loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Longest sequence the model was trained for.
    pub context: usize,
    /// Name of the embedding, `[vocabulary, hidden]`.
    pub embedding: String,
    /// The decoder layers, in order.
    pub blocks: Vec<BlockSpec>,
    /// The norm before the head.
    pub final_norm: Norm,
    /// Where the output projection comes from.
    pub head: Head,
}

/// The output projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// It is the embedding.
    Tied,
    /// A tensor of its own, `[vocabulary, hidden]`.
    Own(String),
}

/// One decoder layer. Blocks of one model may differ.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSpec {
    /// Heads and scale of the attention.
    pub attention: AttentionShape,
    /// Position embedding of queries and keys.
    pub rope: RopeSpec,
    /// Norm before the attention.
    pub attention_norm: Norm,
    /// Norm before the MLP.
    pub mlp_norm: Norm,
    /// The gated MLP.
    pub mlp: MlpSpec,
    /// The linears, grouped by the input they share, in the order they run.
    pub stages: Vec<Stage>,
}

/// A root-mean-square norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Name of the scale, `[hidden]`.
    pub tensor: String,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// The gated MLP of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpSpec {
    /// Width between the linears.
    pub intermediate: usize,
    /// Non-linearity of the gate.
    pub activation: Activation,
}

/// Rotary position embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSpec {
    /// Base of the geometric series of frequencies.
    pub theta: f64,
    /// Change of the frequencies for long contexts.
    pub scaling: RopeScaling,
}

/// How rotary frequencies are changed for long contexts.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Positions divided by a factor.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// The wavelength-dependent rule of Llama 3.1.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low_frequency_factor` are divided.
        low_frequency_factor: f64,
        /// Wavelengths below `original_context / high_frequency_factor` are kept.
        high_frequency_factor: f64,
        /// Context the model was first trained for.
        original_context: f64,
    },
}

/// Linears that share one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where in the block the input is taken.
    pub site: Site,
    /// The linears, in the order the block uses them.
    pub linears: Vec<LinearSpec>,
}

/// Where in a block the input of a stage is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The normed residual before the attention: queries, keys, values.
    AttentionInput,
    /// The attention's result: the output projection.
    AttentionOutput,
    /// The normed residual before the MLP: gate and up.
    MlpInput,
    /// The gated intermediate: down.
    MlpOutput,
}

impl Site {
    /// Whether the linears at this site change the residual; the others neither read nor write it.
    pub fn changes_residual(self) -> bool {
        matches!(self, Site::AttentionOutput | Site::MlpOutput)
    }
}

/// One linear layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearSpec {
    /// Name within the block, such as `self_attn.q_proj`.
    pub name: String,
    /// Name of the weights in the checkpoint, `[outputs, inputs]`.
    pub tensor: String,
    /// Name of the bias, `[outputs]`, where the linear has one.
    pub bias: Option<String>,
    /// Width of the output.
    pub outputs: usize,
    /// Width of the input.
    pub inputs: usize,
}

impl Spec {
    /// Every tensor the model needs, with its shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = vec![(self.embedding.clone(), vec![self.vocabulary, self.hidden])];
        for block in &self.blocks {
            tensors.extend(block.tensors(self.hidden));
        }
        tensors.push((self.final_norm.tensor.clone(), vec![self.hidden]));
        if let Head::Own(head) = &self.head {
            tensors.push((head.clone(), vec![self.vocabulary, self.hidden]));
        }
        tensors
    }

    /// Number of weights in all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
    }
}

impl BlockSpec {
    /// Every tensor of the block with its shape; `hidden` is the width of the residual stream.
    pub fn tensors(&self, hidden: usize) -> Vec<(String, Vec<usize>)> {
        let norms = [&self.attention_norm, &self.mlp_norm];
        let mut tensors: Vec<_> =
            norms.iter().map(|norm| (norm.tensor.clone(), vec![hidden])).collect();
        for linear in self.linears() {
            tensors.push((linear.tensor.clone(), vec![linear.outputs, linear.inputs]));
            tensors.extend(linear.bias.iter().map(|bias| (bias.clone(), vec![linear.outputs])));
        }
        tensors
    }

    /// The block's linears in the order they run.
    pub fn linears(&self) -> impl Iterator<Item = &LinearSpec> {
        self.stages.iter().flat_map(|stage| &stage.linears)
    }
}
