//! The tensors of a GGUF file under their Hugging Face names, dequantised when they are read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use compute::MappedFile;
use half::bf16;
use rayon::prelude::*;

use super::header::Stored;
use super::storage::Storage;
use crate::checkpoint::{Dtype, Shard, Tensor, TensorInfo, TensorStore};
use crate::{Error, Result};

/// Name of the weights file a checkpoint from a single GGUF file is written to.
const SHARD: &str = "model.safetensors";

/// How the rows of a stored tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowOrder {
    /// As in the Hugging Face checkpoint.
    Plain,
    /// Within each head the two halves alternate, for rotary positions on neighbouring pairs.
    Interleaved {
        /// Rows of one head.
        head_dim: usize,
    },
}

impl RowOrder {
    /// The stored row that is row `row` of the checkpoint.
    ///
    /// llama.cpp's converter writes `[heads, 2, head_dim / 2]` rows as
    /// `[heads, head_dim / 2, 2]` (`LlamaModel.permute`); this is the way back.
    fn stored(self, row: usize) -> usize {
        let RowOrder::Interleaved { head_dim } = self else { return row };
        let (head, within) = (row / head_dim, row % head_dim);
        let (half, place) = (within / (head_dim / 2), within % (head_dim / 2));
        head * head_dim + place * 2 + half
    }
}

/// The tensors of a mapped file.
pub(super) struct Store {
    file: MappedFile,
    tensors: BTreeMap<String, TensorInfo>,
    placed: BTreeMap<String, (Stored, RowOrder)>,
    order: Vec<String>,
}

impl Store {
    /// `tensors` are given in the order of the file, under their Hugging Face names.
    pub(super) fn new(file: MappedFile, tensors: Vec<(String, Stored, RowOrder)>) -> Self {
        let order = tensors.iter().map(|(name, ..)| name.clone()).collect();
        let infos = tensors.iter().map(|(name, stored, _)| {
            (name.clone(), TensorInfo { dtype: Dtype::BF16, shape: stored.shape.clone() })
        });
        let infos = infos.collect();
        let placed = tensors.into_iter().map(|(name, stored, rows)| (name, (stored, rows)));
        Self { file, tensors: infos, placed: placed.collect(), order }
    }

    fn find(&self, name: &str) -> Result<&(Stored, RowOrder)> {
        self.placed.get(name).ok_or_else(|| Error::tensor(name, "missing from the checkpoint"))
    }
}

impl TensorStore for Store {
    fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    fn read(&self, name: &str) -> Result<Tensor<'_>> {
        let rows = self.find(name)?.0.shape[0];
        self.read_rows(name, 0..rows)
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor<'_>> {
        let (stored, order) = self.find(name)?;
        let count = stored.shape[0];
        if rows.start > rows.end || rows.end > count {
            let problem = format!("rows {}..{} asked for, {count} are there", rows.start, rows.end);
            return Err(Error::tensor(name, problem));
        }
        let mut shape = stored.shape.clone();
        shape[0] = rows.len();
        let bytes = match (&stored.shape[..], stored.storage, order) {
            ([_], ..) => Cow::Owned(vector(stored, *order, &self.file, rows)),
            (_, Storage::Bf16, RowOrder::Plain) => {
                let row = row_bytes(stored);
                Cow::Borrowed(&self.file[stored.bytes.clone()][rows.start * row..rows.end * row])
            }
            _ => Cow::Owned(matrix(stored, *order, &self.file, rows)),
        };
        Ok(Tensor { info: TensorInfo { dtype: Dtype::BF16, shape }, bytes })
    }

    fn release(&self, name: &str) {
        if let Some((stored, _)) = self.placed.get(name) {
            self.file.release(stored.bytes.clone());
        }
    }

    fn shards(&self) -> Vec<Shard> {
        vec![Shard { file: SHARD.into(), tensors: self.order.clone() }]
    }
}

/// Bytes of one row of the outermost dimension in the file.
fn row_bytes(stored: &Stored) -> usize {
    stored.bytes.len() / stored.shape[0]
}

/// Some rows of a tensor of two dimensions or more, as bf16.
fn matrix(stored: &Stored, order: RowOrder, file: &[u8], rows: Range<usize>) -> Vec<u8> {
    let source = &file[stored.bytes.clone()];
    let (row_bytes, columns) = (row_bytes(stored), stored.shape[1..].iter().product::<usize>());
    let mut output = vec![0; rows.len() * columns * 2];
    output.par_chunks_exact_mut(columns * 2).enumerate().for_each_init(
        || vec![0.0; columns],
        |values, (index, output)| {
            let row = order.stored(rows.start + index);
            stored.storage.expand(&source[row * row_bytes..][..row_bytes], values);
            round(values.iter(), output);
        },
    );
    output
}

/// Some values of a one-dimensional tensor, whose blocks run along the dimension asked for.
fn vector(stored: &Stored, order: RowOrder, file: &[u8], rows: Range<usize>) -> Vec<u8> {
    let mut values = vec![0.0; stored.shape[0]];
    stored.storage.expand(&file[stored.bytes.clone()], &mut values);
    let mut output = vec![0; rows.len() * 2];
    round(rows.map(|row| &values[order.stored(row)]), &mut output);
    output
}

/// Writes values as little-endian bf16, rounded to the nearest (ties to even).
fn round<'a>(values: impl Iterator<Item = &'a f32>, output: &mut [u8]) {
    for (value, output) in values.zip(output.as_chunks_mut::<2>().0) {
        *output = bf16::from_f32(*value).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_rows_are_found_again() {
        // Two heads of four rows: the converter writes each head's rows 0 2 1 3.
        let order = RowOrder::Interleaved { head_dim: 4 };
        let converted = [0, 2, 1, 3, 4, 6, 5, 7];
        for row in 0..8 {
            assert_eq!(converted[order.stored(row)], row);
        }
    }
}
