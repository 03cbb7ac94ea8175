//! GGUF files as checkpoints.

mod damage;
mod golden;
mod header;
mod llama;
mod real;
mod tiny;
mod tokenizer;
mod writer;
