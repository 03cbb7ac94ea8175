//! Which file of an output holds which tensor.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::layout::Layout;
use crate::checkpoint::{Checkpoint, Content, Shard, TensorStore};
use crate::{Error, Result};

/// The largest file that is written where one tensor fits, in bytes: the limit the hub recommends.
const LARGEST_FILE: u64 = 5_000_000_000;
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weight files of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The files, in the order of the tensors.
    pub(super) files: Vec<Layout>,
}

impl Plan {
    /// The files of `source` where it has safetensors files of at most 5 GB, else files of 5 GB.
    pub(super) fn new(source: &Checkpoint) -> Result<Self> {
        Self::limited(source.store.as_ref(), LARGEST_FILE)
    }

    fn limited(store: &dyn TensorStore, largest: u64) -> Result<Self> {
        let mut shards = complete(store)?;
        let fits = |shard: &Shard| {
            let sizes = shard.tensors.iter().map(|name| store.tensors()[name].bytes() as u64);
            shard.file.ends_with(".safetensors") && sizes.sum::<u64>() <= largest
        };
        if !shards.iter().all(fits) {
            shards = cut(store, shards, largest);
        }
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let layout = |Shard { file, tensors }: &Shard| {
            let infos: Vec<_> =
                tensors.iter().map(|name| (name.as_str(), &store.tensors()[name])).collect();
            Layout::new(file, &infos, &metadata)
        };
        Ok(Self { files: shards.iter().map(layout).collect() })
    }

    /// The index that says which file holds which tensor, where there must be one.
    pub(super) fn index(&self) -> Option<(&'static str, Vec<u8>)> {
        if matches!(&self.files[..], [single] if single.file == SINGLE) {
            return None;
        }
        let sizes = self.files.iter().map(|file| file.size() - file.header.len() as u64);
        let mut map = BTreeMap::new();
        for file in &self.files {
            map.extend(file.places.iter().map(|(name, _)| (name.clone(), json!(file.file))));
        }
        let map: Map<_, _> = map.into_iter().collect();
        let index = json!({"metadata": {"total_size": sizes.sum::<u64>()}, "weight_map": map});
        Some((INDEX, format!("{index:#}\n").into_bytes()))
    }

    /// Whether `name` is taken by a weight file or the index.
    pub(super) fn takes(&self, name: &str) -> bool {
        name == INDEX || self.files.iter().any(|file| file.file == name)
    }

    /// Where every tensor goes: the file's index and the place within it.
    pub(super) fn places(&self) -> BTreeMap<String, (usize, std::ops::Range<u64>)> {
        let files = self.files.iter().enumerate();
        let places = files.flat_map(|(index, file)| {
            file.places.iter().map(move |(name, place)| (name.clone(), (index, place.clone())))
        });
        places.collect()
    }
}

/// The shards of `store`, each tensor in one of them.
fn complete(store: &dyn TensorStore) -> Result<Vec<Shard>> {
    let shards = store.shards();
    if shards.is_empty() {
        let tensors = store.tensors().keys().cloned().collect();
        return Ok(vec![Shard { file: SINGLE.to_owned(), tensors }]);
    }
    let mut held = BTreeMap::new();
    for shard in &shards {
        for name in &shard.tensors {
            store.info(name)?;
            if held.insert(name, &shard.file).is_some() {
                return Err(Error::tensor(name, "it is in two files of the checkpoint"));
            }
        }
    }
    match store.tensors().keys().find(|name| !held.contains_key(name)) {
        Some(name) => Err(Error::tensor(name, "it is in no file of the checkpoint")),
        None => Ok(shards),
    }
}

/// The tensors of `shards`, in their order, in files of at most `largest` bytes of values.
fn cut(store: &dyn TensorStore, shards: Vec<Shard>, largest: u64) -> Vec<Shard> {
    let mut files: Vec<(u64, Vec<String>)> = Vec::new();
    for name in shards.into_iter().flat_map(|shard| shard.tensors) {
        let bytes = store.tensors()[&name].bytes() as u64;
        match files.last_mut() {
            Some((size, names)) if *size + bytes <= largest => {
                *size += bytes;
                names.push(name);
            }
            _ => files.push((bytes, vec![name])),
        }
    }
    let count = files.len();
    let name = |index: usize| match count {
        1 => SINGLE.to_owned(),
        _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
    };
    let files = files.into_iter().enumerate();
    files.map(|(index, (_, tensors))| Shard { file: name(index), tensors }).collect()
}

/// Bytes of the files that travel with the weights.
pub(super) fn companion_bytes(source: &Checkpoint) -> Result<u64> {
    let size = |companion: &crate::checkpoint::Companion| match &companion.content {
        Content::Bytes(bytes) => Ok(bytes.len() as u64),
        Content::File(path) => path.metadata().map(|facts| facts.len()).map_err(Error::io(path)),
    };
    source.companions.iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, ops::Range};

    use super::*;
    use crate::{Dtype, Tensor, TensorInfo};

    /// Tensors of four-byte values, all zero, in one file.
    struct Zeros(BTreeMap<String, TensorInfo>, Vec<Shard>);

    impl Zeros {
        fn new(sizes: &[usize], file: &str) -> Self {
            let name = |index: usize| format!("t{index}");
            let info = |values: usize| TensorInfo { dtype: Dtype::F32, shape: vec![values] };
            let tensors = sizes.iter().enumerate().map(|(i, &size)| (name(i), info(size)));
            let names = (0..sizes.len()).rev().map(name).collect();
            Self(tensors.collect(), vec![Shard { file: file.into(), tensors: names }])
        }
    }

    impl TensorStore for Zeros {
        fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
            &self.0
        }

        fn read(&self, name: &str) -> Result<Tensor<'_>> {
            let info = self.info(name)?.clone();
            Ok(Tensor { bytes: Cow::Owned(vec![0; info.bytes()]), info })
        }

        fn read_rows(&self, name: &str, _: Range<usize>) -> Result<Tensor<'_>> {
            self.read(name)
        }

        fn shards(&self) -> Vec<Shard> {
            self.1.clone()
        }
    }

    fn files(store: &Zeros, largest: u64) -> Vec<(String, Vec<String>)> {
        let plan = Plan::limited(store, largest).unwrap();
        let names = |file: &Layout| file.places.iter().map(|(name, _)| name.clone()).collect();
        plan.files.iter().map(|file| (file.file.clone(), names(file))).collect()
    }

    fn file(name: &str, tensors: &[&str]) -> (String, Vec<String>) {
        (name.to_owned(), tensors.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn tensors_are_cut_into_files_in_their_order() {
        let store = Zeros::new(&[1, 2, 9, 1], "weights.gguf");
        let expected = [
            file("model-00001-of-00003.safetensors", &["t3"]),
            file("model-00002-of-00003.safetensors", &["t2"]),
            file("model-00003-of-00003.safetensors", &["t1", "t0"]),
        ];
        assert_eq!(files(&store, 12), expected);
        assert_eq!(files(&store, 52), [file("model.safetensors", &["t3", "t2", "t1", "t0"])]);
    }

    #[test]
    fn names_are_kept_unless_a_file_is_too_large() {
        let store = Zeros::new(&[1, 2], "model-00001-of-00001.safetensors");
        let kept = [file("model-00001-of-00001.safetensors", &["t1", "t0"])];
        assert_eq!(files(&store, 12), kept);
        assert_eq!(files(&store, 8).len(), 2);
        let (name, index) = Plan::limited(&store, 12).unwrap().index().unwrap();
        assert_eq!(name, INDEX);
        insta::assert_snapshot!(String::from_utf8(index).unwrap(), @r#"
        {
          "metadata": {
            "total_size": 12
          },
          "weight_map": {
            "t0": "model-00001-of-00001.safetensors",
            "t1": "model-00001-of-00001.safetensors"
          }
        }
        "#);
    }

    #[test]
    fn a_store_whose_files_do_not_hold_its_tensors_once_is_refused() {
        let mut store = Zeros::new(&[1, 2], "model.safetensors");
        store.1.push(store.1[0].clone());
        let twice = Plan::limited(&store, 12).unwrap_err().to_string();
        assert!(twice.contains("in two files"), "{twice}");
        store.1 = vec![Shard { file: "a".into(), tensors: vec!["t0".into()] }];
        let missing = Plan::limited(&store, 12).unwrap_err().to_string();
        assert!(missing.contains("t1: it is in no file"), "{missing}");
    }
}
