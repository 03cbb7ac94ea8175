//! What is known of a checkpoint from its configuration and headers.

use std::collections::BTreeMap;

use lm::{Dtype, Head, Model};
use serde::Serialize;

use crate::terminal::{format, table::definitions};

/// What is known without reading a weight.
#[derive(Serialize)]
pub(super) struct Facts {
    path: String,
    model_type: String,
    parameters: u64,
    /// Bytes of the weights as they are read.
    bytes: u64,
    /// Weights by their type.
    dtypes: BTreeMap<&'static str, u64>,
    blocks: usize,
    hidden: usize,
    vocabulary: usize,
    context: usize,
    tied_head: bool,
    tokenizer_tokens: usize,
    chat_template: bool,
}

impl Facts {
    pub(super) fn of(model: &Model) -> Self {
        let (checkpoint, spec) = (model.checkpoint(), model.spec());
        let infos = checkpoint.store.tensors().values();
        let mut dtypes = BTreeMap::new();
        for info in infos.clone() {
            *dtypes.entry(name(info.dtype)).or_default() += info.elements() as u64;
        }
        Self {
            path: checkpoint.path.display().to_string(),
            model_type: checkpoint.config["model_type"].as_str().unwrap_or_default().into(),
            parameters: spec.parameters(),
            bytes: infos.map(|info| info.bytes() as u64).sum(),
            dtypes,
            blocks: spec.blocks.len(),
            hidden: spec.hidden,
            vocabulary: spec.vocabulary,
            context: spec.context,
            tied_head: spec.head == Head::Tied,
            tokenizer_tokens: checkpoint.tokenizer.vocabulary(),
            chat_template: checkpoint.tokenizer.chat_template.is_some(),
        }
    }

    pub(super) fn render(&self) -> String {
        let head = if self.tied_head { "the embedding" } else { "its own" };
        let dtypes: Vec<_> = self.dtypes.keys().copied().collect();
        let size = format!("{} in {}", format::bytes(self.bytes), dtypes.join(", "));
        let shape = format!("{} of width {}", self.blocks, self.hidden);
        let tokens = format!("{} rows, {} tokens", self.vocabulary, self.tokenizer_tokens);
        let template = if self.chat_template { "yes" } else { "no" };
        definitions([
            ("checkpoint", self.path.as_str()),
            ("architecture", self.model_type.as_str()),
            ("parameters", format::count(self.parameters).as_str()),
            ("weights", size.as_str()),
            ("blocks", shape.as_str()),
            ("context", format::count(self.context as u64).as_str()),
            ("vocabulary", tokens.as_str()),
            ("head", head),
            ("chat template", template),
        ])
    }
}

fn name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        Dtype::BF16 => "BF16",
    }
}
