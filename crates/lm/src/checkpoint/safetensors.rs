//! Tensors of memory-mapped safetensors files.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, path::Path};

use super::file::{Bytes, File};
use super::header::{self, Entry, Problem};
use super::{Shard, Tensor, TensorInfo, TensorStore};
use crate::{Error, Result};

/// The tensors of one or more safetensors files, none of which is read before it is asked for.
pub(super) struct SafetensorsStore {
    files: Vec<Bytes>,
    shards: Vec<Shard>,
    tensors: BTreeMap<String, TensorInfo>,
    places: BTreeMap<String, Place>,
}

/// Where a tensor's values are.
struct Place {
    file: usize,
    bytes: Range<usize>,
}

impl SafetensorsStore {
    /// Maps `files`, each with its name, and reads their headers.
    pub(super) fn open(files: Vec<(String, File<'_>)>) -> Result<Self> {
        let mut store = Self {
            files: Vec::new(),
            shards: Vec::new(),
            tensors: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        for (name, file) in files {
            let bytes = file.map()?;
            let entries = header::parse(&bytes).map_err(|problem| refusal(file.path(), problem))?;
            store.add(&name, file.path(), entries)?;
            store.files.push(bytes);
        }
        Ok(store)
    }

    /// Adds the tensors of the next file.
    fn add(&mut self, file: &str, path: &Path, entries: Vec<Entry>) -> Result<()> {
        let index = self.shards.len();
        let names = entries.iter().map(|entry| entry.name.clone()).collect();
        for Entry { name, info, bytes } in entries {
            if let Some(first) = self.places.get(&name) {
                let first = &self.shards[first.file].file;
                let problem = format!("tensor {name} is in {first} as well");
                return Err(Error::malformed(path, problem));
            }
            self.places.insert(name.clone(), Place { file: index, bytes });
            self.tensors.insert(name, info);
        }
        self.shards.push(Shard { file: file.to_owned(), tensors: names });
        Ok(())
    }

    /// The name of the file that holds tensor `name`.
    pub(super) fn file_of(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(|place| self.shards[place.file].file.as_str())
    }

    fn bytes(&self, name: &str) -> Result<(&TensorInfo, &[u8])> {
        let info = self.info(name)?;
        let place = &self.places[name];
        Ok((info, &self.files[place.file][place.bytes.clone()]))
    }
}

impl TensorStore for SafetensorsStore {
    fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    fn read(&self, name: &str) -> Result<Tensor<'_>> {
        let (info, bytes) = self.bytes(name)?;
        Ok(Tensor { info: info.clone(), bytes: Cow::Borrowed(bytes) })
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor<'_>> {
        let (info, bytes) = self.bytes(name)?;
        let (count, row) = match info.shape.split_first() {
            Some((&count, row)) => (count, row),
            None => return Err(Error::tensor(name, "it is a single value and has no rows")),
        };
        if rows.start > rows.end || rows.end > count {
            return Err(Error::tensor(name, format!("rows {rows:?} asked for, it has {count}")));
        }
        let width = row.iter().product::<usize>() * info.dtype.size();
        let shape = [&[rows.len()], row].concat();
        let bytes = Cow::Borrowed(&bytes[rows.start * width..rows.end * width]);
        Ok(Tensor { info: TensorInfo { dtype: info.dtype, shape }, bytes })
    }

    fn release(&self, name: &str) {
        if let Some(place) = self.places.get(name) {
            self.files[place.file].release(place.bytes.clone());
        }
    }

    fn shards(&self) -> Vec<Shard> {
        self.shards.clone()
    }
}

fn refusal(path: &Path, problem: Problem) -> Error {
    match problem {
        Problem::Malformed(problem) => Error::malformed(path, problem),
        Problem::Dtype { tensor, dtype } => Error::Unsupported {
            what: format!("{}: tensor {tensor}: the type {dtype}", path.display()),
            hint: dtype_hint(&dtype).into(),
        },
    }
}

/// The way out for a type that is not read.
fn dtype_hint(dtype: &str) -> &'static str {
    match dtype {
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => {
            "these are FP8 weights; use the model's BF16 variant, or dequantise it: load it in \
             transformers with FineGrainedFP8Config(dequantize=True) and save_pretrained it"
        }
        "F64" => {
            "weights are F32, F16 or BF16; load it in transformers with dtype=\"float32\" and \
             save_pretrained it"
        }
        _ => {
            "weights are F32, F16 or BF16; this looks like a quantised checkpoint: use the one it \
             was made from"
        }
    }
}
