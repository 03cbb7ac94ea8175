//! How fast documents become tokens, beside the tokenizers library's own `encode_batch`.
//!
//!     cargo bench -p secateur-calib --bench tokenising -- TOKENIZER.json DOCUMENTS.jsonl
//!
//! Both get the same documents and all cores. Ours reads the file, tokenises it as one stream, keeps
//! the tokens and cuts windows; the library gets the texts in memory and gives token ids.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path, time::Instant};

use calib::{Packing, Recipe, Workspace};
use lm::{Checkpoint, Model, Silent};
use testkit::{TinyOptions, tiny_llama};

const ROUNDS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [tokenizer, documents] = &words[..] else {
        println!("skipped: name a tokenizer.json and a file of documents");
        return;
    };
    let options = data::Options::default();
    let texts: Vec<String> =
        data::open(Path::new(documents), &options).unwrap().map(|d| d.unwrap().text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{} documents, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    let library = tokenizers::Tokenizer::from_file(tokenizer).unwrap();
    let speed = |seconds: f64| bytes as f64 / 1e6 / seconds;
    let batch = best(|| library.encode_batch(texts.clone(), false).unwrap().len());
    println!("encode_batch        {:.2} MB/s", speed(batch));
    let fast = best(|| library.encode_batch_fast(texts.clone(), false).unwrap().len());
    println!("encode_batch_fast   {:.2} MB/s", speed(fast));
    let model = model(tokenizer, &library);
    let workspace = Workspace { model: &model, cache: None, memory: None, hub: None, server: None };
    let recipe = Recipe {
        samples: Some(128),
        length: Some(1024),
        packing: Some(Packing::Stream),
        ..Recipe::of(documents)
    };
    let ours = best(|| calib::collect(&recipe, &workspace, &Silent).unwrap().tokens());
    println!("calib, whole way    {:.2} MB/s", speed(ours));
    println!("of encode_batch     {:.2}", batch / ours);
    println!("of its fast variant {:.2}", fast / ours);
}

/// A model with this tokenizer; its weights do not matter.
fn model(tokenizer: &str, library: &tokenizers::Tokenizer) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let vocab = library.get_vocab_size(true).next_multiple_of(16);
    tiny_llama(folder.path(), &TinyOptions { vocab, context: 2048, ..TinyOptions::default() });
    fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    Model::new(Checkpoint::open(folder.path()).unwrap(), compute::Precision::F32).unwrap()
}

/// Seconds of the fastest round.
fn best(mut work: impl FnMut() -> usize) -> f64 {
    let time = |_| {
        let begun = Instant::now();
        assert!(work() > 0);
        begun.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}
