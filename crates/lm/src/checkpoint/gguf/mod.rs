//! GGUF files as checkpoints.
//!
//! [`header`] reads and checks where everything lies, [`config`] and [`names`] put it in Hugging
//! Face terms, [`store`] dequantises tensors as they are read, and [`tokenizer`] rebuilds the
//! tokenizer. The model a quantised file stands for is: dequantised, rows un-permuted, rounded to
//! bf16.

mod blocks;
mod config;
mod header;
mod metadata;
mod names;
mod reader;
mod rope;
mod storage;
mod store;
mod tokenizer;
mod value;

use std::{borrow::Cow, path::Path};

use compute::MappedFile;
use serde_json::Value;

use self::config::Sizes;
use self::header::{Header, Stored};
use self::names::{Heads, Role};
use self::store::{RowOrder, Store};
use super::{Checkpoint, Companion, Content};
use crate::{Error, Result};

/// Opens a `.gguf` file.
///
/// # Errors
/// When the file is malformed, or holds an architecture, a storage type or a tokenizer that is not
/// supported.
pub(crate) fn open(path: &Path) -> Result<Checkpoint> {
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if length == 0 {
        return Err(Error::malformed(path, "an empty file"));
    }
    let file = MappedFile::open(path).map_err(Error::io(path))?;
    let header = Header::read(path, &file)?;
    config::check_kind(&header.metadata)?;
    let sizes = Sizes::read(&header)?;
    let (tensors, factors) = placed(&header.tensors, &sizes, &file)?;
    let rebuilt = tokenizer::rebuild(&header.metadata)?;
    let config = config::config(&header, &sizes, &rebuilt.ids, factors.as_deref())?;
    let files = [("config.json", file_of(&config))].into_iter().chain(rebuilt.files);
    let companion = |(name, bytes): (&str, _)| Companion {
        name: name.to_owned(),
        content: Content::Bytes(Cow::Owned(bytes)),
    };
    Ok(Checkpoint {
        path: path.to_owned(),
        config,
        store: std::sync::Arc::new(Store::new(file, tensors)),
        tokenizer: rebuilt.tokenizer,
        companions: files.map(companion).collect(),
    })
}

/// A value as the file of a checkpoint folder.
fn file_of(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Tensors under their Hugging Face names.
type Placed = Vec<(String, Stored, RowOrder)>;

/// Gives every tensor its place, and reads the factors of the rotary frequencies.
fn placed(stored: &[Stored], sizes: &Sizes, file: &[u8]) -> Result<(Placed, Option<Vec<f32>>)> {
    let (mut tensors, mut factors) = (Vec::new(), None);
    for tensor in stored {
        match names::role(&tensor.name, sizes.blocks) {
            Some(Role::Weight { name, heads }) => {
                let rows = row_order(tensor, heads, sizes)?;
                tensors.push((name, tensor.clone(), rows));
            }
            Some(Role::RopeFactors) => factors = Some(values(tensor, file)),
            Some(Role::Derived) => {}
            None => {
                let problem = format!("not a tensor of a Llama model of {} blocks", sizes.blocks);
                return Err(Error::tensor(&tensor.name, problem));
            }
        }
    }
    Ok((tensors, factors))
}

fn row_order(tensor: &Stored, heads: Heads, sizes: &Sizes) -> Result<RowOrder> {
    let head_dim = sizes.head_dim;
    if heads == Heads::None {
        return Ok(RowOrder::Plain);
    }
    if !tensor.shape[0].is_multiple_of(head_dim) {
        let problem = format!("{} rows do not divide into heads of {head_dim}", tensor.shape[0]);
        return Err(Error::tensor(&tensor.name, problem));
    }
    Ok(RowOrder::Interleaved { head_dim })
}

fn values(tensor: &Stored, file: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    tensor.storage.expand(&file[tensor.bytes.clone()], &mut values);
    values
}
