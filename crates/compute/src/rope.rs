//! Rotary position embedding.

use crate::{Matrix, Precision};

/// Rotary position embedding in the half-split layout of Hugging Face checkpoints: dimension `i` is
/// rotated with dimension `i + head_dim / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    inverse_frequencies: Vec<f32>,
    attention_factor: f32,
}

impl Rope {
    /// One inverse frequency per pair of dimensions (`[head_dim / 2]`); `attention_factor` scales
    /// both sine and cosine (1 unless a scaling rule says otherwise).
    pub fn new(inverse_frequencies: Vec<f32>, attention_factor: f32) -> Self {
        Self { inverse_frequencies, attention_factor }
    }

    /// Rotates every head of `x` (`[tokens, heads · head_dim]`) in place; `positions` has one
    /// entry per token.
    pub fn rotate(&self, x: &mut Matrix, positions: &[usize], precision: Precision) {
        assert_eq!(positions.len(), x.rows(), "one position per token");
        let half = self.inverse_frequencies.len();
        for (row, &position) in positions.iter().enumerate() {
            let (cosines, sines) = self.angles(position, precision);
            for head in x.row_mut(row).chunks_exact_mut(2 * half) {
                let (low, high) = head.split_at_mut(half);
                for i in 0..half {
                    let (a, b) = (low[i], high[i]);
                    let round = |value| precision.round(value);
                    low[i] = round(round(a * cosines[i]) + round(-b * sines[i]));
                    high[i] = round(round(b * cosines[i]) + round(a * sines[i]));
                }
            }
        }
    }

    /// Cosines and sines of one position, `[head_dim / 2]` each.
    fn angles(&self, position: usize, precision: Precision) -> (Vec<f32>, Vec<f32>) {
        let angle = |frequency: &f32| position as f32 * frequency;
        let scaled = |value: f32| precision.round(value * self.attention_factor);
        let cosines = self.inverse_frequencies.iter().map(|f| scaled(angle(f).cos())).collect();
        let sines = self.inverse_frequencies.iter().map(|f| scaled(angle(f).sin())).collect();
        (cosines, sines)
    }
}
