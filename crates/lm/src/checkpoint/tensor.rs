//! Tensors as a checkpoint stores them.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use half::{bf16, f16};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a tensor's values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
}

impl Dtype {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
        }
    }

    /// Reads little-endian values.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Dtype::F32 => {
                bytes.as_chunks::<4>().0.par_iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
            Dtype::F16 => bytes
                .as_chunks::<2>()
                .0
                .par_iter()
                .map(|b| f16::from_le_bytes(*b).to_f32())
                .collect(),
            Dtype::BF16 => bytes
                .as_chunks::<2>()
                .0
                .par_iter()
                .map(|b| bf16::from_le_bytes(*b).to_f32())
                .collect(),
        }
    }

    /// Writes little-endian values, rounded to the nearest (ties to even).
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Dtype::F32 => encode(values, f32::to_le_bytes),
            Dtype::F16 => encode(values, |value| f16::from_f32(value).to_le_bytes()),
            Dtype::BF16 => encode(values, |value| bf16::from_f32(value).to_le_bytes()),
        }
    }
}

/// The bytes of every value, `N` each.
fn encode<const N: usize>(values: &[f32], one: impl Fn(f32) -> [u8; N] + Sync) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * N];
    let places = bytes.as_chunks_mut::<N>().0.par_iter_mut().with_min_len(1 << 14);
    places.zip(values).for_each(|(place, value)| *place = one(*value));
    bytes
}

/// Name-independent facts of a tensor, known from the header alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// How [`TensorStore::read`] returns its values.
    pub dtype: Dtype,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Number of values.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }
}

/// One tensor's values.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// Its type and shape.
    pub info: TensorInfo,
    /// Its values, little-endian: mapped, or made when the file stores another form.
    pub bytes: Cow<'a, [u8]>,
}

impl Tensor<'_> {
    /// The values as `f32`.
    pub fn to_f32(&self) -> Vec<f32> {
        self.info.dtype.decode(&self.bytes)
    }
}

/// Tensors by their Hugging Face names.
pub trait TensorStore: Send + Sync {
    /// Every tensor's type and shape, from headers alone.
    fn tensors(&self) -> &BTreeMap<String, TensorInfo>;

    /// One tensor's values.
    ///
    /// # Errors
    /// When there is no tensor `name`.
    fn read(&self, name: &str) -> Result<Tensor<'_>>;

    /// Some rows (of the outermost dimension) of one tensor.
    ///
    /// # Errors
    /// When there is no tensor `name`, or it does not have those rows.
    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor<'_>>;

    /// Lets go of the memory that reading tensor `name` took and that can be filled again from where it
    /// is stored. Nothing is lost: whoever reads the tensor, then or later, gets its values.
    fn release(&self, name: &str) {
        let _ = name;
    }

    /// The names of the tensors file by file, in the order they are stored: how an output is to be
    /// sharded. One entry for a single file.
    fn shards(&self) -> Vec<Shard>;

    /// What is known of tensor `name`.
    ///
    /// # Errors
    /// When there is no such tensor.
    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors().get(name).ok_or_else(|| Error::tensor(name, "missing from the checkpoint"))
    }
}

/// One weights file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its file name.
    pub file: String,
    /// Its tensors in the order they are stored.
    pub tensors: Vec<String>,
}
