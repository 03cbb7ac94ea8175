//! The arithmetic a forward pass runs in.

use half::bf16;

/// How activations are rounded between operations.
///
/// Sums are always accumulated in `f32`. In [`Precision::Bf16`] every operation's result is rounded
/// to bf16, as PyTorch does for a bf16 model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Nothing is rounded beyond `f32`.
    F32,
    /// The results of every operation are rounded to the nearest bf16 (ties to even).
    Bf16,
}

impl Precision {
    /// Rounds one value.
    #[inline]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Precision::F32 => value,
            Precision::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// Rounds every value in place.
    pub fn round_slice(self, values: &mut [f32]) {
        if self == Precision::Bf16 {
            for value in values {
                *value = bf16::from_f32(*value).to_f32();
            }
        }
    }
}
