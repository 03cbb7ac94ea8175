//! Hugging Face folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use serde_json::Value;

use super::file::File;
use super::files::{Files, is_plain};
use super::safetensors::SafetensorsStore;
use super::{Checkpoint, TensorStore, json, refusals, vocabulary};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Opens the Hugging Face checkpoint that `files` are.
pub(super) fn open(files: &Files) -> Result<Checkpoint> {
    let config = config(files)?;
    let store = store(files)?;
    let tokenizer = vocabulary::load(files, &config)?;
    let companions = files.companions();
    Ok(Checkpoint {
        path: files.folder().to_owned(),
        config,
        store: Arc::new(store),
        tokenizer,
        companions,
    })
}

fn config(files: &Files) -> Result<Value> {
    let Some(file) = files.get(CONFIG) else {
        return Err(refusals::no_config(files));
    };
    let config = json::read_object(&file)?;
    refusals::quantised(file.path(), &config)?;
    Ok(config)
}

/// The weights: one file, or those an index lists. Like `transformers`, the single file comes first.
fn store(files: &Files) -> Result<SafetensorsStore> {
    if let Some(file) = files.get(SINGLE) {
        return SafetensorsStore::open(vec![(SINGLE.to_owned(), file)]);
    }
    let Some(file) = files.get(INDEX) else {
        return Err(refusals::no_weights(files));
    };
    let index = Index::read(&file)?;
    let store = SafetensorsStore::open(index.files(files)?)?;
    index.check(&store)?;
    Ok(store)
}

/// Which shard holds which tensor.
struct Index {
    path: PathBuf,
    shards: BTreeMap<String, String>,
}

impl Index {
    fn read(file: &File<'_>) -> Result<Self> {
        let path = file.path();
        let value = json::read_object(file)?;
        let Some(map) = value.get("weight_map").and_then(Value::as_object) else {
            return Err(Error::malformed(path, "the object \"weight_map\" is missing"));
        };
        let mut shards = BTreeMap::new();
        for (tensor, file) in map {
            let Some(file) = file.as_str() else {
                let problem = format!("weight_map, {tensor}: a file name expected, {file} found");
                return Err(Error::malformed(path, problem));
            };
            shards.insert(tensor.clone(), file.to_owned());
        }
        if shards.is_empty() {
            return Err(Error::malformed(path, "weight_map lists no tensors"));
        }
        Ok(Self { path: path.to_owned(), shards })
    }

    /// Every shard and its name, in the order of their names.
    fn files<'a>(&self, files: &'a Files) -> Result<Vec<(String, File<'a>)>> {
        let names: BTreeSet<_> = self.shards.values().collect();
        let file = |name: &String| {
            if !is_plain(name) || !name.ends_with(".safetensors") {
                let problem = format!(
                    "weight_map: {name:?} found, the name of a .safetensors file in the same \
                     folder expected"
                );
                return Err(Error::malformed(&self.path, problem));
            }
            let shard = files.get(name).ok_or_else(|| {
                let problem = "the shard is missing; the checkpoint's index lists it, fetch it";
                Error::malformed(files.folder().join(name), problem)
            })?;
            Ok((name.clone(), shard))
        };
        names.into_iter().map(file).collect()
    }

    /// Checks that every tensor is where the index says.
    fn check(&self, store: &SafetensorsStore) -> Result<()> {
        for (tensor, shard) in &self.shards {
            let problem = match store.file_of(tensor) {
                Some(file) if file == shard => continue,
                Some(file) => format!("tensor {tensor}: {shard} expected, it is in {file}"),
                None => format!("tensor {tensor} is missing in {shard}"),
            };
            return Err(Error::malformed(&self.path, problem));
        }
        let unlisted = store.tensors().keys().find(|name| !self.shards.contains_key(*name));
        unlisted.map_or(Ok(()), |name| {
            let file = store.file_of(name).unwrap_or_default();
            let problem = format!("tensor {name} of {file} is not listed in weight_map");
            Err(Error::malformed(&self.path, problem))
        })
    }
}
