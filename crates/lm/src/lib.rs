//! Checkpoints, model families and the staged forward pass.
//!
//! A [`Checkpoint`] is opened lazily ([`Checkpoint::open`]); its family turns the configuration into
//! a [`Spec`]; a [`Model`] loads [`Block`]s one at a time and runs them stage by stage.

pub mod checkpoint;
pub mod families;
pub mod generation;
pub mod http;
pub mod hub;
pub mod scoring;

mod block;
mod config;
mod cost;
mod error;
mod model;
mod numbers;

mod observer;
mod rope;
mod spec;
mod tokenizer;

pub use block::{Batch, Block, BlockState, Frame};
pub use checkpoint::{Checkpoint, Dtype, Tensor, TensorInfo, TensorStore};
pub use error::{Error, Result};
pub use model::{Model, OutputHead};
pub use observer::{Observer, Silent};
pub use spec::{
    BlockSpec, Head, LinearSpec, MlpSpec, Norm, RopeScaling, RopeSpec, Site, Spec, Stage,
};
pub use tokenizer::Tokenizer;
