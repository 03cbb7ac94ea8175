//! Looking for weights no model has.

use rayon::prelude::*;

use super::Checkpoint;
use crate::{Observer, Result};

/// The values of one tensor that are NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// The tensor.
    pub tensor: String,
    /// How many of its values are NaN.
    pub nan: usize,
    /// How many of its values are infinite.
    pub infinite: usize,
    /// The index of the first of them, counted over the flattened tensor.
    pub first: usize,
}

impl Checkpoint {
    /// Reads every tensor and lists those with NaN or infinite values, in the order of their names.
    ///
    /// # Errors
    /// When a tensor cannot be read, or the observer asked to stop.
    pub fn check(&self, observer: &dyn Observer) -> Result<Vec<NotFinite>> {
        let names: Vec<_> = self.store.tensors().keys().collect();
        observer.started("Checking every weight", names.len() as u64);
        let check = |name: &&String| {
            observer.check()?;
            let found = not_finite(name, &self.store.read(name)?.to_f32());
            self.store.release(name);
            observer.advanced(1);
            Ok(found)
        };
        let found: Result<Vec<_>> = names.par_iter().map(check).collect();
        observer.finished();
        Ok(found?.into_iter().flatten().collect())
    }
}

fn not_finite(tensor: &str, values: &[f32]) -> Option<NotFinite> {
    let first = values.iter().position(|value| !value.is_finite())?;
    let rest = &values[first..];
    Some(NotFinite {
        tensor: tensor.to_owned(),
        nan: rest.iter().filter(|value| value.is_nan()).count(),
        infinite: rest.iter().filter(|value| value.is_infinite()).count(),
        first,
    })
}
