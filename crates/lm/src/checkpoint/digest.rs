//! A checkpoint's identity.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{Checkpoint, json};
use crate::{Observer, Result};

/// Rows of every tensor that a fingerprint takes.
const SAMPLED_ROWS: usize = 4;

impl Checkpoint {
    /// SHA-256, in hexadecimal, of the configuration and of every tensor's name, type, shape and
    /// values: equal digests mean the same model, whatever its files and their order. Every weight
    /// is read.
    ///
    /// It is the digest of the configuration with sorted keys, then, in the order of their names,
    /// of each tensor's description and the digest of its values.
    ///
    /// # Errors
    /// When a tensor cannot be read, or the observer asked to stop.
    pub fn digest(&self, observer: &dyn Observer) -> Result<String> {
        let tensors: Vec<_> = self.store.tensors().iter().collect();
        observer.started("Computing the model's digest", tensors.len() as u64);
        let values = |(name, _): &(&String, _)| {
            observer.check()?;
            let digest = Sha256::digest(&self.store.read(name)?.bytes);
            self.store.release(name);
            observer.advanced(1);
            Ok(digest)
        };
        let digests: Result<Vec<_>> = tensors.par_iter().map(values).collect();
        observer.finished();
        let mut whole = Sha256::new_with_prefix(json::canonical(&self.config));
        for ((name, info), digest) in tensors.iter().zip(digests?) {
            whole.update(format!("\n{name} {:?} {:?} ", info.dtype, info.shape));
            whole.update(digest);
        }
        Ok(format!("{:x}", whole.finalize()))
    }

    /// SHA-256, in hexadecimal, of the configuration and of a sample of every tensor: equal
    /// fingerprints mean the same model unless somebody changed single rows of a tensor. Little is
    /// read, so it is there at once however large the model; what must be certain takes the
    /// [digest](Self::digest).
    ///
    /// Of a tensor of more than one dimension four rows are taken, evenly spaced and the
    /// first and last among them, of others everything.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut whole = Sha256::new_with_prefix(json::canonical(&self.config));
        for (name, info) in self.store.tensors() {
            whole.update(format!("\n{name} {:?} {:?} ", info.dtype, info.shape));
            if info.shape.len() < 2 {
                whole.update(&self.store.read(name)?.bytes);
                continue;
            }
            let Some(last) = info.shape[0].checked_sub(1) else { continue };
            for sample in 0..SAMPLED_ROWS {
                let row = last * sample / (SAMPLED_ROWS - 1);
                whole.update(&self.store.read_rows(name, row..row + 1)?.bytes);
            }
        }
        Ok(format!("{:x}", whole.finalize()))
    }
}
