//! Calibration sets on disk: safetensors with a readable view beside it.
//!
//! Tensors `tokens`, U32 `[all tokens]`, and `ends`, I64 `[sequences]`: sequence `i` is
//! `tokens[ends[i − 1] .. ends[i]]`. The metadata entry `calibration` is the provenance as JSON.
//! The view is for people; nothing reads it back.

use std::{collections::HashMap, path::Path};

use compute::MappedFile;
use lm::{Tokenizer, checkpoint::write_durable};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Serialize;

use crate::{CalibrationSet, Error, Origin, Provenance, Result};

const TOKENS: &str = "tokens";
const ENDS: &str = "ends";
const PROVENANCE: &str = "calibration";

/// One line of the readable view.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    origin: &'a Origin,
    tokens: usize,
    text: String,
}

impl CalibrationSet {
    /// Writes the set to `path` (`.safetensors`) and its readable view beside it (`.jsonl`). Equal
    /// sets give equal bytes.
    ///
    /// # Errors
    /// When the extension is another, a file cannot be written, or the tokenizer is another than
    /// the set's.
    pub fn save(&self, path: &Path, tokenizer: &Tokenizer) -> Result<()> {
        if !is_saved_set(path) {
            let problem = "a calibration set is saved as a file with the extension .safetensors";
            return Err(Error::malformed(path, problem));
        }
        self.check_tokenizer(tokenizer)?;
        write_durable(&path.with_extension("jsonl"), self.view(tokenizer)?.as_bytes())?;
        Ok(write_durable(path, &self.to_bytes()?)?)
    }

    /// Reads a saved set; what is read equals what was written bit for bit.
    ///
    /// # Errors
    /// When the file cannot be read, is no calibration set, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self> {
        let file = MappedFile::open(path).map_err(Error::io(path))?;
        Self::from_bytes(&file).map_err(|problem| {
            Error::malformed(path, format!("not a calibration set that can be used: {problem}"))
        })
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let flat = self.sequences.iter().flatten();
        let tokens: Vec<u8> = flat.flat_map(|token| token.to_le_bytes()).collect();
        let end = |end: &mut i64, sequence: &Vec<u32>| {
            *end += sequence.len() as i64;
            Some(*end)
        };
        let ends: Vec<u8> =
            self.sequences.iter().scan(0, end).flat_map(|end| end.to_le_bytes()).collect();
        let view = |dtype, bytes, count| TensorView::new(dtype, vec![count], bytes);
        let tensors = || -> std::result::Result<_, safetensors::SafeTensorError> {
            let tokens = view(Dtype::U32, &tokens, self.tokens())?;
            let ends = view(Dtype::I64, &ends, self.sequences.len())?;
            let provenance = serde_json::to_string(&self.provenance)?;
            let metadata = HashMap::from([(PROVENANCE.to_owned(), provenance)]);
            safetensors::serialize([(TOKENS, tokens), (ENDS, ends)], Some(metadata))
        };
        tensors().map_err(|error| Error::Set(error.to_string()))
    }

    fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = |error: safetensors::SafeTensorError| error.to_string();
        let tensors = SafeTensors::deserialize(bytes).map_err(text)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
        let metadata = header.metadata().as_ref().and_then(|entries| entries.get(PROVENANCE));
        let json = metadata.ok_or(format!("no metadata entry {PROVENANCE:?}"))?;
        let provenance: Provenance = serde_json::from_str(json)
            .map_err(|error| format!("metadata entry {PROVENANCE:?}: {error}"))?;
        let tokens = values(&tensors, TOKENS, Dtype::U32, u32::from_le_bytes)?;
        let ends = values(&tensors, ENDS, Dtype::I64, i64::from_le_bytes)?;
        let set = CalibrationSet::new(cut(&tokens, &ends)?, provenance);
        set.map_err(|error| error.to_string())
    }

    /// One JSON object per line: where a sequence comes from and what it says.
    fn view(&self, tokenizer: &Tokenizer) -> Result<String> {
        let mut view = String::new();
        for (index, sequence) in self.sequences.iter().enumerate() {
            let origin = &self.provenance.origins[index];
            let text = tokenizer.decode(sequence, true)?;
            let line = Line { index, origin, tokens: sequence.len(), text };
            let json = serde_json::to_string(&line).map_err(|e| Error::Set(e.to_string()))?;
            view.push_str(&json);
            view.push('\n');
        }
        Ok(view)
    }
}

/// Whether `path` names a saved set rather than text.
pub(crate) fn is_saved_set(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}

/// The values of a one-dimensional tensor.
fn values<T, const BYTES: usize>(
    tensors: &SafeTensors<'_>,
    name: &str,
    dtype: Dtype,
    decode: impl Fn([u8; BYTES]) -> T,
) -> std::result::Result<Vec<T>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != dtype || tensor.shape().len() != 1 {
        return Err(format!(
            "tensor {name:?}: {dtype} with one dimension expected, {} {:?} found",
            tensor.dtype(),
            tensor.shape()
        ));
    }
    Ok(tensor.data().as_chunks::<BYTES>().0.iter().map(|bytes| decode(*bytes)).collect())
}

/// The sequences that end where `ends` says; together they are all of `tokens`.
fn cut(tokens: &[u32], ends: &[i64]) -> std::result::Result<Vec<Vec<u32>>, String> {
    let mut sequences = Vec::with_capacity(ends.len());
    let mut start = 0;
    for (index, &end) in ends.iter().enumerate() {
        let found = usize::try_from(end).ok().filter(|end| (start..=tokens.len()).contains(end));
        let end = found.ok_or_else(|| {
            let most = tokens.len();
            format!("sequence {index}: an end in {start}..={most} expected, {end} found")
        })?;
        sequences.push(tokens[start..end].to_vec());
        start = end;
    }
    match tokens.len() - start {
        0 => Ok(sequences),
        rest => Err(format!("{rest} tokens after the last sequence")),
    }
}
