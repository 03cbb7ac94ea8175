//! Where finished texts and sets are kept between runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use compute::KernelLevel;
use lm::Tokenizer;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Journal, ServerSettings, SynthesisSettings};
use crate::{CalibrationSet, Error, FilterSettings, Result, recipe::Windows};

/// Raised when equal recipes no longer give equal texts.
const FORMAT: u32 = 5;

/// Everything that a text depends on, its number aside.
#[derive(Serialize)]
pub(crate) struct Key<'a> {
    format: u32,
    version: &'static str,
    /// The model's fingerprint.
    model: String,
    arithmetic: String,
    tokenizer: &'a str,
    strategy: &'a str,
    prefixes: Option<&'a str>,
    prefix_tokens: usize,
    chat_template: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a ServerSettings>,
    sampling: lm::generation::Sampling,
    temperatures: &'a [f32],
    length: usize,
    seed: u64,
}

/// What a set depends on beside its texts.
#[derive(Serialize)]
struct Selection<'a> {
    samples: usize,
    filters: &'a FilterSettings,
    /// SHA-256 of the files whose texts must not be found.
    excluded: Option<String>,
}

impl<'a> Key<'a> {
    pub(crate) fn new(
        model: &'a lm::Model,
        settings: &'a SynthesisSettings,
        prefixes: Option<&'a str>,
        windows: Windows,
    ) -> Result<Self> {
        let tokenizer = &model.checkpoint().tokenizer;
        Ok(Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            model: model.checkpoint().fingerprint()?,
            arithmetic: arithmetic(model),
            tokenizer: tokenizer.digest(),
            strategy: &settings.strategy,
            prefixes,
            prefix_tokens: settings.prefix(),
            chat_template: tokenizer
                .chat_template
                .as_deref()
                .filter(|_| settings.strategy == "chat"),
            server: settings.server.as_ref(),
            sampling: settings.sampling()?,
            temperatures: &settings.temperatures,
            length: windows.length,
            seed: windows.seed,
        })
    }
}

/// The folder of one kind of texts: `texts.jsonl` and the sets made from them.
pub(crate) struct Cache {
    folder: PathBuf,
    /// The key, readable.
    identity: String,
    set: PathBuf,
}

impl Cache {
    /// The place under `root` for texts of `key` and the set that `filters` select from them.
    ///
    /// # Errors
    /// When a file that the filters name cannot be read.
    pub(crate) fn new(
        root: &Path,
        key: &Key<'_>,
        filters: &FilterSettings,
        windows: Windows,
    ) -> Result<Self> {
        let identity = serde_json::to_string(key).expect("a key has no unserialisable values");
        let excluded = digest(&filters.exclude)?;
        let selection = Selection { samples: windows.samples, filters, excluded };
        let selection =
            serde_json::to_string(&selection).expect("a selection has no unserialisable values");
        let folder = root.join("calibration").join(short_digest(&identity));
        let set = folder.join(format!("set-{}.safetensors", short_digest(&selection)));
        Ok(Self { folder, identity, set })
    }

    /// The finished set, where there is one.
    pub(crate) fn set(&self) -> Result<Option<CalibrationSet>> {
        self.set.exists().then(|| CalibrationSet::load(&self.set)).transpose()
    }

    /// The journal of texts, locked.
    pub(crate) fn journal(&self, vocabulary: usize) -> Result<Journal> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        Journal::open(&self.folder.join("texts.jsonl"), &self.identity, vocabulary)
    }

    /// Keeps the finished set.
    pub(crate) fn keep(&self, set: &CalibrationSet, tokenizer: &Tokenizer) -> Result<()> {
        set.save(&self.set, tokenizer)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The arithmetic of the forward pass: texts differ where it does.
pub(crate) fn arithmetic(model: &lm::Model) -> String {
    format!("{:?} with {} kernels", model.precision(), KernelLevel::active())
}

/// SHA-256 of files' bytes; nothing where there are none.
fn digest(paths: &[PathBuf]) -> Result<Option<String>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut digest = Sha256::new();
    for path in paths {
        for file in data::files(path)? {
            let mut bytes = fs::File::open(&file).map_err(Error::io(&file))?;
            std::io::copy(&mut bytes, &mut digest).map_err(Error::io(&file))?;
        }
    }
    Ok(Some(format!("{:x}", digest.finalize())))
}

/// The first 32 hexadecimal digits of SHA-256.
fn short_digest(text: &str) -> String {
    let mut digest = format!("{:x}", Sha256::digest(text));
    digest.truncate(32);
    digest
}
