//! The non-linearity of an MLP.

use serde::{Deserialize, Serialize};

/// The non-linearity of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(x)`, also called swish.
    Silu,
}

impl Activation {
    /// The activation of one value.
    #[inline]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }
}
