//! GGUF files as checkpoints.

mod real;
mod writer;
