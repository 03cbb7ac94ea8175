//! What names a model on the hub.

use std::{fmt, path::Path, str::FromStr};

use crate::{Error, Result};

/// The longest owner, name or file name taken, in bytes.
const LONGEST: usize = 96;

/// A model on the hub, `owner/name` or `owner/name@revision`.
///
/// Both parts obey the hub's rules (letters, digits, `-`, `_` and `.`, no `--` and no `..`), so
/// that neither can leave the cache folder or change the address asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    name: String,
    revision: String,
    kind: Kind,
}

/// What lies under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Model,
    Dataset,
}

/// A data set on the hub, `owner/name` or `owner/name@revision`, by the rules of [`ModelId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetId(pub(super) ModelId);

impl ModelId {
    /// `owner/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit; `main` unless one was given.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The name of its folder within the cache: `models--owner--name`, `datasets--owner--name`.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.kind(), self.name.replace('/', "--"))
    }

    /// What the hub's interface calls the likes of it: `models`, `datasets`.
    pub(super) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        }
    }

    /// Where its files lie below the hub's address: `owner/name`, `datasets/owner/name`.
    pub(super) fn place(&self) -> String {
        match self.kind {
            Kind::Model => self.name.clone(),
            Kind::Dataset => format!("datasets/{}", self.name),
        }
    }
}

impl FromStr for DatasetId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let id: ModelId = text.parse()?;
        Ok(Self(ModelId { kind: Kind::Dataset, ..id }))
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ModelId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_name(part)) {
            return Err(refused(text, "not of the form owner/name or owner/name@revision"));
        }
        if !is_revision(revision) {
            return Err(refused(text, "what follows the @ is no branch, tag or commit"));
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned(), kind: Kind::Model })
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => f.write_str(&self.name),
            revision => write!(f, "{}@{revision}", self.name),
        }
    }
}

/// Whether `text` names a model on the hub: it has the form of a [`ModelId`], is not the name of a
/// model file, and nothing of that name exists on disk.
pub fn is_hub_id(text: &str) -> bool {
    let is_file = [".gguf", ".safetensors", ".bin", ".json"].iter().any(|end| text.ends_with(end));
    !is_file && text.parse::<ModelId>().is_ok() && !Path::new(text).exists()
}

/// Whether `text` is a full commit: 40 lower-case hexadecimal digits.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn refused(text: &str, problem: &str) -> Error {
    Error::Hub {
        model: text.to_owned(),
        problem: problem.to_owned(),
        hint: "write it as on the hub, for example HuggingFaceTB/SmolLM2-135M".to_owned(),
    }
}

/// An owner or a name by the hub's rules.
fn is_name(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = part.as_bytes();
    (1..=LONGEST).contains(&bytes.len())
        && bytes.iter().all(|&byte| word(byte) || byte == b'-' || byte == b'.')
        && word(bytes[0])
        && word(bytes[bytes.len() - 1])
        && !part.contains("--")
        && !part.contains("..")
        && !part.ends_with(".git")
}

/// A revision that is safe as a path below `refs/`: git's rules for references, and a little more.
fn is_revision(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.contains("..")
    };
    text.len() <= 2 * LONGEST
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./+".contains(&byte))
        && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_with_and_without_revision() {
        let id: ModelId = "HuggingFaceTB/SmolLM2-135M".parse().unwrap();
        assert_eq!((id.name(), id.revision()), ("HuggingFaceTB/SmolLM2-135M", "main"));
        assert_eq!(id.to_string(), "HuggingFaceTB/SmolLM2-135M");
        assert_eq!(id.folder(), "models--HuggingFaceTB--SmolLM2-135M");
        let id: ModelId = "a/b@refs/pr/1".parse().unwrap();
        assert_eq!((id.name(), id.revision()), ("a/b", "refs/pr/1"));
        assert_eq!(id.to_string(), "a/b@refs/pr/1");
    }

    #[test]
    fn refuses_what_the_hub_would_not_allow() {
        for text in [
            "", "/", "a", "a/", "/b", "a/b/c", "../b", "a/..", "./b", "a/.b", "a/b.", "a--b/c",
            "a/b..c", "a/b.git", "a/-b", "a/b c", "a/b?c", "a\\b/c", "é/b", "a/b@", "a/b@../x",
            "a/b@/x", "a/b@x//y", "a/b@x/.y", "a/b@x y", "a/b@x\\y", "~/b",
        ] {
            assert!(text.parse::<ModelId>().is_err(), "{text:?} was taken");
            assert!(!is_hub_id(text), "{text:?} was taken");
        }
        assert!(format!("a/{}", "b".repeat(97)).parse::<ModelId>().is_err());
    }

    #[test]
    fn files_and_existing_paths_are_not_hub_ids() {
        assert!(is_hub_id("HuggingFaceTB/SmolLM2-135M"));
        assert!(is_hub_id("TinyLlama/TinyLlama_v1.1@main"));
        assert!(!is_hub_id("models/SmolLM2.Q4_1.gguf"));
        assert!(!is_hub_id("src/hub"), "an existing folder");
    }

    #[test]
    fn a_commit_is_forty_hexadecimal_digits() {
        assert!(is_commit("0123456789abcdef0123456789abcdef01234567"));
        assert!(!is_commit("0123456789ABCDEF0123456789abcdef01234567"));
        assert!(!is_commit("0123456"));
    }
}
