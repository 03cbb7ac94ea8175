//! A checkpoint's identity.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{Checkpoint, json};
use crate::{Observer, Result};

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
}
