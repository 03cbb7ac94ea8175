//! Every kind of llama against the logits of `transformers` (tools/goldens/forward.py), and proof
//! that a model with one thing wrong would not pass.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, fs, path::Path, path::PathBuf};

use compute::Precision;
use lm::generation::{Event, Prompt, Sampling, Settings, generate};
use lm::{Batch, Checkpoint, Model, Silent};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use support::MemoryStore;

/// Largest difference of f32 logits, relative to the largest logit.
const F32_TOLERANCE: f32 = 1e-4;

/// Root mean square of the differences of bf16 logits, relative to how far the bf16 logits of
/// `transformers` are from its f32 logits: f32 logits would be at 1. Sums are taken in another order
/// here, so a few values round to the neighbour; the goldens' large weights exaggerate that.
const BF16_TOLERANCE: f32 = 0.75;

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/forward")
}

/// Every folder of the goldens that holds a checkpoint.
fn kinds() -> Vec<String> {
    let folders = fs::read_dir(goldens()).unwrap().map(|entry| entry.unwrap().path());
    let checkpoints = folders.filter(|folder| folder.join("config.json").exists());
    let name = |folder: PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
    let kinds: Vec<_> = checkpoints.map(name).collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    kinds
}

/// What `transformers` found.
struct Reference {
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Reference {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            (name, (view.shape().to_vec(), view.data().to_vec()))
        };
        Self { tensors: file.tensors().into_iter().map(tensor).collect() }
    }

    fn words<T>(&self, name: &str, from: fn([u8; 4]) -> T) -> Vec<T> {
        self.tensors[name].1.as_chunks::<4>().0.iter().map(|bytes| from(*bytes)).collect()
    }

    fn tokens(&self, name: &str) -> Vec<u32> {
        self.words(name, u32::from_le_bytes)
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.words(name, f32::from_le_bytes)
    }

    /// Logits of all sequences, one after another.
    fn logits(&self, precision: &str) -> Vec<f32> {
        let names = self.tensors.keys().filter(|name| name.starts_with(precision));
        names.flat_map(|name| self.values(name)).collect()
    }

    /// Token ids of all sequences.
    fn sequences(&self) -> Vec<Vec<u32>> {
        let names = self.tensors.keys().filter(|name| name.starts_with("tokens."));
        names.map(|name| self.tokens(name)).collect()
    }
}

/// The checkpoint of a kind, in memory, so that it can be changed.
struct Kind {
    config: Value,
    store: MemoryStore,
    reference: Reference,
}

impl Kind {
    fn open(name: &str) -> Self {
        let folder = goldens().join(name);
        let checkpoint = Checkpoint::open(&folder).unwrap();
        Self {
            config: checkpoint.config,
            store: MemoryStore::copy_of(checkpoint.store.as_ref()),
            reference: Reference::read(&folder.join("reference.safetensors")),
        }
    }

    /// The relative difference of the f32 logits once `change` was made.
    fn difference(mut self, change: impl FnOnce(&mut Value, &mut MemoryStore)) -> f32 {
        change(&mut self.config, &mut self.store);
        let model = support::model(self.config, self.store, Precision::F32);
        largest_difference(&logits(&model, &self.reference), &self.reference.logits("f32"))
    }
}

/// Logits of all sequences, run together as one ragged batch.
fn logits(model: &Model, reference: &Reference) -> Vec<f32> {
    let sequences = reference.sequences();
    let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let mut state = model.embed(&sequences.concat()).unwrap();
    for index in 0..model.spec().blocks.len() {
        state = model.block(index).unwrap().run(state, &mut Batch::fresh(&lengths));
    }
    model.head().unwrap().logits(state.view()).into_vec()
}

/// max |difference| / max |expected|.
fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, |a: f32, b| a.max(b.abs()));
    let difference =
        largest(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
    difference / largest(&mut expected.iter().copied())
}

/// rms(difference) / rms(expected).
fn mean_difference(found: &[f32], expected: &[f32]) -> f32 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    let difference =
        squares(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
    (difference / squares(&mut expected.iter().copied())).sqrt()
}

/// Spread of the logits of one token: their standard deviation, the least over all tokens.
fn least_spread(logits: &[f32], vocabulary: usize) -> f32 {
    let spread = |row: &[f32]| {
        let mean = row.iter().sum::<f32>() / vocabulary as f32;
        (row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / vocabulary as f32).sqrt()
    };
    logits.chunks(vocabulary).map(spread).fold(f32::INFINITY, f32::min)
}

#[test]
fn f32_logits_are_those_of_transformers() {
    for name in &kinds() {
        let kind = Kind::open(name);
        assert!(least_spread(&kind.reference.logits("f32"), 64) >= 0.99, "{name}: a flat golden");
        let difference = kind.difference(|_, _| ());
        println!("{name}: {difference:.1e}");
        assert!(difference <= F32_TOLERANCE, "{name}: {difference}");
    }
}

#[test]
fn bf16_logits_are_close_to_those_of_transformers() {
    for name in &kinds() {
        let kind = Kind::open(name);
        let model = support::model(kind.config, kind.store, Precision::Bf16);
        let found = logits(&model, &kind.reference);
        let difference = mean_difference(&found, &kind.reference.logits("bf16"));
        let rounding =
            mean_difference(&kind.reference.logits("f32"), &kind.reference.logits("bf16"));
        println!("{name}: {difference:.4}; transformers' bf16 against its f32: {rounding:.4}");
        assert!(difference <= BF16_TOLERANCE * rounding, "{name}: {difference} {rounding}");
    }
}

#[test]
fn the_configuration_of_transformers_4_means_the_same() {
    for name in &kinds() {
        let older = fs::read(goldens().join(name).join("config-transformers-4.json")).unwrap();
        let older: Value = serde_json::from_slice(&older).unwrap();
        assert!(older.get("rope_theta").is_some() && older.get("rope_parameters").is_none());
        let difference = Kind::open(name).difference(|config, _| *config = older);
        assert!(difference <= F32_TOLERANCE, "{name}: {difference}");
    }
}

#[test]
fn a_perturbed_rope_theta_shows() {
    for name in &kinds() {
        let difference = Kind::open(name).difference(|config, _| {
            let theta = &mut config["rope_parameters"]["rope_theta"];
            *theta = json!(theta.as_f64().unwrap() * 1.3);
        });
        assert!(difference > 1e-2, "{name}: {difference}");
    }
}

#[test]
fn an_ignored_rope_scaling_shows() {
    for name in ["rope-linear", "rope-llama3"] {
        let difference = Kind::open(name)
            .difference(|config, _| config["rope_parameters"]["rope_type"] = json!("default"));
        assert!(difference > 1e-2, "{name}: {difference}");
    }
}

/// Swaps the rows of heads 0 and 1 of a projection in the first block.
fn swap_heads(store: &mut MemoryStore, projection: &str, head_dim: usize) {
    let name = format!("model.layers.0.self_attn.{projection}.weight");
    let weights = store.values.get_mut(&name).unwrap();
    let (first, second) = weights.split_at_mut(head_dim * 32);
    first.swap_with_slice(&mut second[..head_dim * 32]);
}

#[test]
fn swapped_heads_show() {
    for name in &kinds() {
        for projection in ["q_proj", "k_proj", "v_proj"] {
            if name == "mqa-tied" && projection != "q_proj" {
                continue; // it has one key-value head
            }
            let difference = Kind::open(name).difference(|config, store| {
                let head_dim = config["head_dim"].as_u64().unwrap() as usize;
                swap_heads(store, projection, head_dim);
            });
            assert!(difference > 1e-2, "{name}, {projection}: {difference}");
        }
    }
}

#[test]
fn a_forgotten_bias_shows() {
    for bias in ["attention_bias", "mlp_bias"] {
        let difference = Kind::open("bias").difference(|config, _| config[bias] = json!(false));
        assert!(difference > 1e-2, "{bias}: {difference}");
    }
}

/// A greedy continuation of `start` with the penalty the goldens were made with.
fn greedy(model: &Model, start: &[u32]) -> Vec<u32> {
    let settings = Settings {
        sampling: Sampling { repetition_penalty: 1.2, ..Sampling::greedy() },
        max_new_tokens: 32,
        longest: None,
        seed: 0,
        stop: vec![],
        memory: None,
        batch: None,
    };
    let prompts = [Prompt { tokens: start.to_vec(), stream: 0 }];
    let mut tokens = Vec::new();
    let mut sink = |event| {
        if let Event::Finished(text) = event {
            tokens = text.tokens;
        }
        Ok(())
    };
    generate(model, &prompts, &settings, &mut sink, &Silent).unwrap();
    tokens
}

#[test]
fn greedy_texts_are_those_of_transformers() {
    for name in &kinds() {
        let kind = Kind::open(name);
        let model = support::model(kind.config, kind.store, Precision::F32);
        let expected = kind.reference.tokens("greedy");
        assert_eq!(greedy(&model, &kind.reference.tokens("tokens.0")), expected, "{name}");
    }
}

/// The folder of shared models and texts.
fn shared() -> PathBuf {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    std::env::var_os("SECATEUR_SHARED").map_or_else(beside, PathBuf::from)
}

#[test]
fn stories260k_has_the_logits_of_transformers() {
    let folder = shared().join("models/stories260k");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let reference = Reference::read(&goldens().join("stories260k/reference.safetensors"));
    let model = Model::new(Checkpoint::open(&folder).unwrap(), Precision::F32).unwrap();
    let difference = largest_difference(&logits(&model, &reference), &reference.logits("f32"));
    println!("stories260k: {difference:.1e}");
    assert!(difference <= F32_TOLERANCE, "{difference}");
    assert_eq!(greedy(&model, &[1]), reference.tokens("greedy"));
}

#[test]
fn smollm2_has_the_logits_of_transformers() {
    let file = shared().join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let reference = Reference::read(&goldens().join("smollm2/reference.safetensors"));
    let model = Model::new(Checkpoint::open(&file).unwrap(), Precision::F32).unwrap();
    let found: Vec<f32> = logits(&model, &reference).into_iter().step_by(64).collect();
    let difference = largest_difference(&found, &reference.logits("f32"));
    println!("SmolLM2: {difference:.1e}");
    assert!(difference <= F32_TOLERANCE, "{difference}");
}
