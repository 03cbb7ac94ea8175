//! Checkpoints on disk: lazy, memory-mapped, in Hugging Face names and layout whatever the file.

mod check;
mod digest;
mod file;
mod files;
mod folder;
mod gguf;
mod header;
mod json;
mod refusals;
mod safetensors;
mod tensor;
mod vocabulary;
mod writer;

pub use check::NotFinite;
pub use tensor::{Dtype, Shard, Tensor, TensorInfo, TensorStore};
pub use writer::{CheckpointWriter, write_durable, write_safetensors};

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use crate::{Error, Result, Tokenizer};
use files::Files;

/// A model on disk, seen as a Hugging Face checkpoint: configuration, tensors by name, tokenizer
/// and the files that travel with them.
pub struct Checkpoint {
    /// The folder or file it was opened from, or the name of an embedded one.
    pub path: PathBuf,
    /// The configuration in Hugging Face form (made up from the metadata for a GGUF file).
    pub config: Value,
    /// The tensors.
    pub store: Arc<dyn TensorStore>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Files that belong to the checkpoint and are not weights: config.json, tokenizer files, chat
    /// template, generation config, licence … They are written to a pruned checkpoint unchanged.
    pub companions: Vec<Companion>,
}

/// A file that travels with the weights.
#[derive(Clone, Debug)]
pub struct Companion {
    /// Its name within the folder.
    pub name: String,
    /// Where its bytes are.
    pub content: Content,
}

/// The bytes of a companion.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file to copy.
    File(PathBuf),
    /// Made up from the metadata of a GGUF file, or part of the program.
    Bytes(Cow<'static, [u8]>),
}

impl Checkpoint {
    /// Opens a Hugging Face folder or a `.gguf` file.
    ///
    /// Only headers are read; weights are mapped and touched when a tensor is read.
    ///
    /// # Errors
    /// When the path is neither, or what it holds is malformed or of a kind that is not supported.
    pub fn open(path: &Path) -> Result<Self> {
        let facts = path.metadata().map_err(Error::io(path))?;
        if facts.is_dir() {
            folder::open(&Files::list(path)?)
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
            gguf::open(path)
        } else {
            Err(Error::malformed(path, "neither a Hugging Face folder nor a .gguf file"))
        }
    }

    /// Opens a Hugging Face folder whose files, by name, are part of the program. `name` stands for
    /// it in messages.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn embedded(name: &str, files: &[(&str, &'static [u8])]) -> Result<Self> {
        folder::open(&Files::embedded(name, files))
    }
}
