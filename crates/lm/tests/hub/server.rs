//! A small hub on the loopback: what it answers where nothing goes wrong.

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};
pub(crate) use testkit::server::{Answer, Request, Server};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const MODEL: &str = "owner/name";

/// A model on the hub: names and bytes.
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Where large files lie, if not on the hub itself.
    pub(crate) storage: Option<String>,
}

impl Repository {
    /// A small model with one file of weights of `size` bytes.
    pub(crate) fn small(size: usize) -> Self {
        let weights = (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let files = vec![
            file(".gitattributes", "*"),
            file("README.md", "# a model"),
            file("config.json", r#"{"model_type":"llama"}"#),
            ("model.safetensors".to_owned(), weights),
            file("pytorch_model.bin", "not needed"),
            file("tokenizer.json", r#"{"version":"1.0"}"#),
        ];
        Self { files, storage: None }
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(file, _)| file == name).unwrap().1
    }

    pub(crate) fn etag(&self, name: &str) -> String {
        let bytes = self.bytes(name);
        if name.ends_with(".safetensors") {
            return format!("{:x}", Sha256::digest(bytes));
        }
        let blob = Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes);
        format!("{:x}", blob.finalize())
    }

    /// What a hub answers.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let api = format!("/api/models/{MODEL}/revision/");
        if let Some(revision) = request.path.strip_prefix(&api) {
            let known = ["main", "refs%2Fpr%2F1", COMMIT];
            return match revision.strip_suffix("?blobs=true") {
                Some(revision) if known.contains(&revision) => self.listing(),
                _ => Answer::new(404, "{}").with("X-Error-Code", "RevisionNotFound"),
            };
        }
        let name = request.path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/"));
        match name.and_then(|name| self.files.iter().find(|(file, _)| file == name)) {
            Some((name, _)) => self.file(request, name),
            None => Answer::new(404, "{}").with("X-Error-Code", "EntryNotFound"),
        }
    }

    fn listing(&self) -> Answer {
        let siblings: Vec<_> = self
            .files
            .iter()
            .map(|(name, bytes)| json!({ "rfilename": name, "size": bytes.len() }))
            .collect();
        let answer = json!({ "id": MODEL, "sha": COMMIT, "siblings": siblings });
        Answer::new(200, answer.to_string())
    }

    fn file(&self, request: &Request, name: &str) -> Answer {
        let (bytes, etag) = (self.bytes(name), self.etag(name));
        if let Some(storage) = self.storage.as_ref().filter(|_| name.ends_with(".safetensors")) {
            return Answer::new(302, "see there")
                .with("X-Repo-Commit", COMMIT)
                .with("X-Linked-Etag", format!("\"{etag}\""))
                .with("X-Linked-Size", bytes.len())
                .with("Location", format!("{storage}/{name}?signature=1"));
        }
        let answer = ranged(request, bytes);
        answer.with("ETag", format!("\"{etag}\"")).with("X-Repo-Commit", COMMIT)
    }
}

/// The part of the bytes that was asked for.
pub(crate) fn ranged(request: &Request, bytes: &[u8]) -> Answer {
    let start = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match start {
        None => Answer::new(200, bytes),
        Some(start) if start >= bytes.len() => Answer::new(416, ""),
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            Answer::new(206, &bytes[start..]).with("Content-Range", range)
        }
    }
}
