//! Tiny random checkpoints for the tests of the other crates.
//!
//! Nothing here uses the crates that read checkpoints: files are written with the `safetensors`
//! library, so that the readers are tested against something that is not their own.

pub mod completions;
pub mod server;

mod llama;
mod tokenizer;
mod weights;

pub use llama::{TinyOptions, tiny_llama};
pub use safetensors::Dtype;
pub use tokenizer::{BOS, CHAT_TEMPLATE, EOS, SPECIAL_TOKENS, tokenizer_json};
pub use weights::{Weight, write_weights};
