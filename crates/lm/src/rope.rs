//! Rotary frequencies from a configuration.

use std::f64::consts::TAU;

use compute::Rope;

use crate::{RopeScaling, RopeSpec};

impl RopeSpec {
    /// The rotation of heads `head_dim` wide.
    pub fn rope(&self, head_dim: usize) -> Rope {
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / head_dim as f32;
            self.scaling.scale(1.0 / self.theta.powf(f64::from(exponent))) as f32
        };
        Rope::new((0..head_dim / 2).map(frequency).collect(), 1.0)
    }
}

impl RopeScaling {
    /// The frequency that takes the place of `frequency`.
    ///
    /// Source for `Llama3`: `_compute_llama3_parameters` in `transformers`.
    pub fn scale(&self, frequency: f64) -> f64 {
        match *self {
            RopeScaling::None => frequency,
            RopeScaling::Linear { factor } => frequency / factor,
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } => {
                let wavelength = TAU / frequency;
                if wavelength < original_context / high {
                    frequency
                } else if wavelength > original_context / low {
                    frequency / factor
                } else {
                    let smooth = (original_context / wavelength - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_scaling_keeps_high_frequencies_and_divides_low_ones() {
        let rule = RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192.0,
        };
        assert_eq!(rule.scale(1.0), 1.0);
        assert_eq!(rule.scale(1e-6), 1e-6 / 8.0);
        let middle = TAU / 4096.0;
        let scaled = rule.scale(middle);
        assert!(scaled < middle && scaled > middle / 8.0, "{scaled}");
    }
}
