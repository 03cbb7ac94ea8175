//! What every source of documents does alike: read, pack, write down where the windows come from.

use std::collections::BTreeMap;

use data::Document;
use lm::Observer;
use sha2::{Digest, Sha256};

use crate::packing::{Packed, document, stream};
use crate::{CalibrationSet, Packing, Provenance, Recipe, Result, Workspace, tokens};

/// Reads the documents of `recipe.source` and cuts windows from them.
pub(super) fn collect(
    recipe: &Recipe,
    (source, packing): (&str, Packing),
    workspace: &Workspace<'_>,
    observer: &dyn Observer,
) -> Result<CalibrationSet> {
    recipe.refuse_synthesis(source)?;
    let windows = recipe.windows(workspace.model.spec())?;
    let documents = read(recipe, observer)?;
    let (count, text_digest) = (documents.len(), digest(&documents));
    let tokenizer = &workspace.model.checkpoint().tokenizer;
    let packed = match packing {
        Packing::Document => document::pack(&documents, tokenizer, windows, observer)?,
        Packing::Stream => {
            let tokens = tokens::encode(tokenizer, &join(documents))?;
            stream::pack(&tokens, windows, &recipe.source)?
        }
    };
    let Packed { sequences, origins, notes } = packed;
    let separator = match packing {
        Packing::Stream => format!("{:?}", stream::SEPARATOR),
        Packing::Document => "windows never cross documents".into(),
    };
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        source: source.into(),
        recipe: recipe.clone(),
        packing,
        separator,
        special_tokens: "none".into(),
        tokenizer: tokenizer.digest().into(),
        vocabulary: workspace.model.spec().vocabulary,
        text_digest: Some(text_digest),
        model: None,
        precision: None,
        documents: count,
        dropped: BTreeMap::new(),
        dropped_texts: Vec::new(),
        notes,
        origins,
    };
    CalibrationSet::new(sequences, provenance)
}

fn read(recipe: &Recipe, observer: &dyn Observer) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for document in data::open(recipe.source.as_ref(), &recipe.reading())? {
        observer.check()?;
        documents.push(document?);
    }
    Ok(documents)
}

/// SHA-256 of the documents' texts.
fn digest(documents: &[Document]) -> String {
    let mut digest = Sha256::new();
    for document in documents {
        digest.update((document.text.len() as u64).to_le_bytes());
        digest.update(&document.text);
    }
    format!("{:x}", digest.finalize())
}

/// All texts in one, without a copy where there is only one.
fn join(mut documents: Vec<Document>) -> String {
    if documents.len() == 1 {
        return documents.swap_remove(0).text;
    }
    let texts: Vec<String> = documents.into_iter().map(|document| document.text).collect();
    texts.join(stream::SEPARATOR)
}
