//! Random weights, made one tensor at a time while they are written.

use std::{borrow::Cow, collections::HashMap, path::Path};

use compute::Stream;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{Dtype, View, serialize_to_file};

/// A random tensor: normal values around `mean`.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Its name.
    pub name: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// How it is stored: F32, F16 or BF16.
    pub dtype: Dtype,
    /// Mean of its values.
    pub mean: f32,
    /// Standard deviation of its values.
    pub deviation: f32,
    /// Values are a function of the seed, the name and the position alone.
    pub seed: u64,
}

impl Weight {
    /// The values before they are rounded to the dtype.
    pub fn values(&self) -> Vec<f32> {
        let name = self.name.bytes().fold(0, |key, byte| compute::mix(key ^ u64::from(byte)));
        let stream = Stream::new(self.seed, name);
        let count = self.shape.iter().product::<usize>();
        (0..count)
            .into_par_iter()
            .map(|index| self.mean + self.deviation * normal(&stream, index as u64))
            .collect()
    }
}

/// A standard normal number (Box and Muller 1958).
fn normal(stream: &Stream, index: u64) -> f32 {
    let radius = (-2.0 * (1.0 - stream.uniform(2 * index)).ln()).sqrt();
    (radius * (std::f64::consts::TAU * stream.uniform(2 * index + 1)).cos()) as f32
}

impl View for Weight {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.values();
        let bytes = match self.dtype {
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
            other => panic!("no random weights of type {other:?}"),
        };
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes `weights` to the safetensors file `path`.
///
/// # Panics
/// When the file cannot be written, or a weight's dtype is none of F32, F16 and BF16.
pub fn write_weights(path: &Path, weights: &[Weight]) {
    let tensors = weights.iter().map(|weight| (weight.name.clone(), weight.clone()));
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize_to_file(tensors, Some(metadata), path).expect("the weights can be written");
}
