//! GGUF files as checkpoints.
#![allow(clippy::unwrap_used)]

mod damage;
mod golden;
mod header;
mod llama;
mod real;
mod tiny;
mod tokenizer;
mod writer;
