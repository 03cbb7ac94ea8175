//! Models made in memory for tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::{borrow::Cow, collections::BTreeMap, ops::Range, path::PathBuf};

use compute::{Precision, Stream};
use lm::{
    Checkpoint, Dtype, Error, Model, Result, Tensor, TensorInfo, TensorStore, Tokenizer,
    checkpoint::Shard, families,
};
use serde_json::{Value, json};

/// Tensors held in memory.
pub struct MemoryStore {
    pub infos: BTreeMap<String, TensorInfo>,
    pub values: BTreeMap<String, Vec<f32>>,
}

impl TensorStore for MemoryStore {
    fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Tensor<'_>> {
        let rows = self.info(name)?.shape[0];
        self.read_rows(name, 0..rows)
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor<'_>> {
        let mut info = self.info(name)?.clone();
        let width: usize = info.shape[1..].iter().product();
        let values =
            self.values.get(name).and_then(|v| v.get(rows.start * width..rows.end * width));
        let values = values.ok_or_else(|| Error::tensor(name, "no such rows"))?;
        info.shape[0] = rows.len();
        let bytes = Cow::Owned(info.dtype.encode(values));
        Ok(Tensor { info, bytes })
    }

    fn shards(&self) -> Vec<Shard> {
        Vec::new()
    }
}

impl MemoryStore {
    /// A copy of every tensor of `store`.
    pub fn copy_of(store: &dyn TensorStore) -> Self {
        let mut copy = Self { infos: store.tensors().clone(), values: BTreeMap::new() };
        for name in store.tensors().keys() {
            copy.values.insert(name.clone(), store.read(name).unwrap().to_f32());
        }
        copy
    }

    /// Random tensors of every name and shape that `config` asks for.
    pub fn random(config: &Value, seed: u64) -> Self {
        let spec = families::spec(config).unwrap();
        let mut store = Self { infos: BTreeMap::new(), values: BTreeMap::new() };
        for (index, (name, shape)) in spec.tensors().into_iter().enumerate() {
            let stream = Stream::new(seed, index as u64);
            let count: usize = shape.iter().product();
            let norm = shape.len() == 1;
            let scale = if norm { 0.2 } else { 4.0 / (shape[1] as f64).sqrt() };
            let value = |i| scale * (2.0 * stream.uniform(i) - 1.0) + f64::from(u8::from(norm));
            let values = (0..count as u64).map(|i| value(i) as f32).collect();
            store.values.insert(name.clone(), values);
            store.infos.insert(name, TensorInfo { dtype: Dtype::F32, shape });
        }
        store
    }
}

/// A small llama with grouped-query heads.
pub fn config() -> Value {
    json!({
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 61, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false,
    })
}

/// A tokenizer of the words `t0 … t60`, of which 1 begins a text and 2 ends it.
pub fn tokenizer(vocabulary: usize) -> Tokenizer {
    let words: serde_json::Map<_, _> =
        (0..vocabulary).map(|i| (format!("t{i}"), json!(i))).collect();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null, "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"},
    });
    Tokenizer::from_json(json.to_string().as_bytes(), Some(1), vec![2]).unwrap()
}

/// A model over `store`.
pub fn model(config: Value, store: MemoryStore, precision: Precision) -> Model {
    let vocabulary = families::spec(&config).unwrap().vocabulary;
    let checkpoint = Checkpoint {
        path: PathBuf::from("memory"),
        config,
        store: std::sync::Arc::new(store),
        tokenizer: tokenizer(vocabulary),
        companions: Vec::new(),
    };
    Model::new(checkpoint, precision).unwrap()
}

/// A random model of [`config`].
pub fn random_model(precision: Precision) -> Model {
    model(config(), MemoryStore::random(&config(), 7), precision)
}

/// Random token ids below 61.
pub fn random_tokens(seed: u64, count: usize) -> Vec<u32> {
    let stream = Stream::new(seed, 99);
    (0..count as u64).map(|position| stream.below(position, 61) as u32).collect()
}

/// Runs `work` on a pool of `threads`.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
