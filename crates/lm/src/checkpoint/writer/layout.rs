//! The layout of a safetensors file that is to be written.

use std::{collections::BTreeMap, io::Write, ops::Range, path::Path};

use serde_json::{Map, json};

use super::durable;
use crate::{Dtype, Error, Result, TensorInfo};

/// Header and places of the tensors of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The file's name.
    pub(super) file: String,
    /// Everything before the first value.
    pub(super) header: Vec<u8>,
    /// Where each tensor's values go, in the order they are stored.
    pub(super) places: Vec<(String, Range<u64>)>,
}

impl Layout {
    /// Tensors one after another, behind a header padded to a multiple of eight bytes.
    pub(super) fn new(
        file: &str,
        tensors: &[(&str, &TensorInfo)],
        metadata: &BTreeMap<String, String>,
    ) -> Self {
        let mut fields = Map::new();
        if !metadata.is_empty() {
            fields.insert("__metadata__".into(), json!(metadata));
        }
        let mut end = 0;
        for (name, info) in tensors {
            let start = end;
            end += info.bytes() as u64;
            let dtype = name_of(info.dtype);
            let entry = json!({"dtype": dtype, "shape": info.shape, "data_offsets": [start, end]});
            fields.insert((*name).to_owned(), entry);
        }
        let mut json = serde_json::Value::Object(fields).to_string().into_bytes();
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut header = (json.len() as u64).to_le_bytes().to_vec();
        header.extend(json);
        let mut start = header.len() as u64;
        let place = |(name, info): &(&str, &TensorInfo)| {
            let end = start + info.bytes() as u64;
            let place = start..end;
            start = end;
            ((*name).to_owned(), place)
        };
        let places = tensors.iter().map(place).collect();
        Self { file: file.to_owned(), header, places }
    }

    /// Bytes of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.places.last().map_or(self.header.len() as u64, |(_, place)| place.end)
    }
}

fn name_of(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        Dtype::BF16 => "BF16",
    }
}

/// Writes a safetensors file of `tensors` (name, type and shape, little-endian values) in the order
/// given; it appears under its name only when it is complete.
///
/// # Errors
/// When a tensor's bytes are not as many as its shape asks for, a name occurs twice, or the file
/// cannot be written.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(&str, TensorInfo, &[u8])],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let mut infos: Vec<(&str, &TensorInfo)> = Vec::with_capacity(tensors.len());
    let mut names = std::collections::BTreeSet::new();
    for (name, info, bytes) in tensors {
        check_length(name, info.bytes() as u64, bytes)?;
        if !names.insert(*name) {
            return Err(Error::tensor(*name, "it is to be written twice"));
        }
        infos.push((name, info));
    }
    let layout = Layout::new("", &infos, metadata);
    durable::write_with(path, |file| {
        file.write_all(&layout.header)?;
        tensors.iter().try_for_each(|(_, _, bytes)| file.write_all(bytes))
    })
}

/// Checks that `bytes` are as many as a tensor takes.
pub(super) fn check_length(name: &str, expected: u64, bytes: &[u8]) -> Result<()> {
    let found = bytes.len() as u64;
    if found == expected {
        return Ok(());
    }
    Err(Error::tensor(name, format!("{expected} bytes expected for its shape, {found} given")))
}
