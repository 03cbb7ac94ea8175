//! The hash a server promises for a file, and the one its bytes have.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The etag of a file: the name of its blob in the cache and, on the hub, its hash.
///
/// Files in large-file storage have their SHA-256 (64 hexadecimal digits), others git's blob hash
/// (40 digits: SHA-1 of `blob <size>\0` and the bytes). Other servers may send anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Etag(String);

impl Etag {
    /// Reads a header's value, weak (`W/"…"`) or not; `None` if it is not fit for a file's name.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let text = header.trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        ((1..=128).contains(&text.len()) && text.bytes().all(fit)).then(|| Self(text.to_owned()))
    }

    /// The name of the blob.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says what the bytes must be.
    pub(super) fn is_hash(&self) -> bool {
        matches!(self.0.len(), 40 | 64) && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The hash to feed the file's bytes to; `size` is the whole file's.
    pub(super) fn hasher(&self, size: u64) -> Hasher {
        match self.0.len() {
            64 if self.is_hash() => Hasher::Sha256(Sha256::new()),
            40 if self.is_hash() => {
                Hasher::GitBlob(Sha1::new().chain_update(format!("blob {size}\0")))
            }
            _ => Hasher::Unknown,
        }
    }
}

/// A hash in the making.
pub(super) enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
    /// The etag is no hash, so nothing can be compared.
    Unknown,
}

impl Hasher {
    /// Takes the next bytes of the file.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hash) => hash.update(bytes),
            Hasher::GitBlob(hash) => hash.update(bytes),
            Hasher::Unknown => {}
        }
    }

    /// The hash found, where it is not the one promised.
    pub(super) fn mismatch(self, etag: &Etag) -> Option<String> {
        let found = match self {
            Hasher::Sha256(hash) => hex(&hash.finalize()),
            Hasher::GitBlob(hash) => hex(&hash.finalize()),
            Hasher::Unknown => return None,
        };
        (!found.eq_ignore_ascii_case(&etag.0)).then_some(found)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatch(etag: &str, bytes: &[u8]) -> Option<String> {
        let etag = Etag::parse(etag).unwrap();
        let mut hasher = etag.hasher(bytes.len() as u64);
        bytes.iter().for_each(|&byte| hasher.update(&[byte]));
        hasher.mismatch(&etag)
    }

    #[test]
    fn knows_sha256_and_gits_blob_hash() {
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let git = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"; // printf hello | git hash-object --stdin
        assert_eq!(mismatch(sha256, b"hello"), None);
        assert_eq!(mismatch(git, b"hello"), None);
        assert_eq!(mismatch(&format!("\"{git}\""), b"hello"), None);
        assert_eq!(mismatch(sha256, b"hellO").unwrap().len(), 64);
        assert_eq!(mismatch(git, b"hell").unwrap().len(), 40);
        assert_eq!(mismatch("W/\"abc-1\"", b"anything"), None);
    }

    #[test]
    fn an_etag_must_be_fit_for_a_name() {
        for text in ["", "\"\"", "../x", "a/b", "a.lock", "a b", "a\\b", &"x".repeat(129)] {
            assert_eq!(Etag::parse(text), None, "{text:?}");
        }
        assert_eq!(Etag::parse("W/\"abc\"").unwrap().as_str(), "abc");
        assert!(!Etag::parse("abc").unwrap().is_hash());
    }
}
