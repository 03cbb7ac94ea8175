//! How strong every input of every layer is.

use compute::LinearInput;
use serde::{Deserialize, Serialize};

use crate::{BlockSpec, Error, Result, Site, Spec};

/// The share of a site's root mean square below which an input counts as silent.
const SILENT: f64 = 1e-6;

/// The second moments of the inputs of every site over some tokens: what Wanda's scores read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputProfile {
    /// Tokens seen.
    pub tokens: u64,
    /// Block by block, the sites in the order they run.
    pub blocks: Vec<Vec<SiteProfile>>,
}

/// The second moments of the inputs of one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteProfile {
    /// Where in the block.
    pub site: Site,
    /// Σ x_j² over the tokens, `[in]`.
    pub squared_norms: Vec<f64>,
}

impl InputProfile {
    /// A profile of no tokens yet.
    pub(super) fn new(spec: &Spec) -> Self {
        let site = |stage: &crate::Stage| {
            let inputs = stage.linears.first().map_or(0, |linear| linear.inputs);
            SiteProfile { site: stage.site, squared_norms: vec![0.0; inputs] }
        };
        let block = |block: &BlockSpec| block.stages.iter().map(site).collect();
        Self { tokens: 0, blocks: spec.blocks.iter().map(block).collect() }
    }

    /// Takes in the input `x`, `[tokens, in]`, of a stage.
    pub(super) fn add(&mut self, block: usize, stage: usize, x: &LinearInput) {
        compute::add_squared_input_norms(x, &mut self.blocks[block][stage].squared_norms);
    }

    /// Refuses a profile with a value that is not finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with block and site.
    pub(super) fn check(&self) -> Result<()> {
        for (block, sites) in self.blocks.iter().enumerate() {
            for SiteProfile { site, squared_norms } in sites {
                if let Some(input) = squared_norms.iter().position(|norm| !norm.is_finite()) {
                    let what = format!("input {input} of block {block}, {site:?},");
                    return Err(Error::NotFinite { what });
                }
            }
        }
        Ok(())
    }

    /// How differently two profiles of one model weigh the inputs, 0 where they agree: the mean over
    /// blocks, over sites and over inputs of `|ln(a_j / b_j) − m|`, `a_j` and `b_j` the root mean
    /// squares of an input over the tokens of each and `m` the site's mean of `ln(a_j / b_j)`. A
    /// factor that all inputs of a site share changes no comparison within a row, and is left out.
    ///
    /// # Panics
    /// When the profiles are of models of different shapes.
    pub fn distance(&self, other: &Self) -> f64 {
        let blocks = self.block_distances(other);
        blocks.iter().sum::<f64>() / blocks.len() as f64
    }

    /// [`InputProfile::distance`] of every block.
    ///
    /// # Panics
    /// When the profiles are of models of different shapes.
    pub fn block_distances(&self, other: &Self) -> Vec<f64> {
        assert_eq!(self.blocks.len(), other.blocks.len(), "profiles of one model");
        let block = |(ours, theirs): (&Vec<SiteProfile>, &Vec<SiteProfile>)| {
            let sites = ours.iter().zip(theirs);
            let distances =
                sites.map(|(ours, theirs)| ours.distance(self.tokens, theirs, other.tokens));
            distances.sum::<f64>() / ours.len() as f64
        };
        self.blocks.iter().zip(&other.blocks).map(block).collect()
    }
}

impl SiteProfile {
    fn distance(&self, tokens: u64, other: &Self, other_tokens: u64) -> f64 {
        assert_eq!(self.squared_norms.len(), other.squared_norms.len(), "one site");
        let (ours, theirs) = (self.log_norms(tokens), other.log_norms(other_tokens));
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        let count = ratios.len() as f64;
        let mean = ratios.iter().sum::<f64>() / count;
        ratios.iter().map(|ratio| (ratio - mean).abs()).sum::<f64>() / count
    }

    /// `ln` of the root mean square of every input; a silent input is taken for a little more.
    fn log_norms(&self, tokens: u64) -> Vec<f64> {
        let tokens = tokens.max(1) as f64;
        let count = self.squared_norms.len().max(1) as f64;
        let mean_square = self.squared_norms.iter().sum::<f64>() / tokens / count;
        let least = (SILENT * SILENT * mean_square).max(f64::MIN_POSITIVE);
        let log = |norm: &f64| 0.5 * (norm / tokens).max(least).ln();
        self.squared_norms.iter().map(log).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(tokens: u64, norms: &[&[f64]]) -> InputProfile {
        let site =
            |norms: &&[f64]| SiteProfile { site: Site::MlpInput, squared_norms: norms.to_vec() };
        InputProfile { tokens, blocks: norms.iter().map(|norms| vec![site(norms)]).collect() }
    }

    #[test]
    fn neither_length_nor_a_common_factor_counts() {
        let one = profile(10, &[&[1.0, 4.0, 9.0], &[2.0, 2.0, 2.0]]);
        let longer = profile(30, &[&[3.0, 12.0, 27.0], &[6.0, 6.0, 6.0]]);
        let louder = profile(10, &[&[5.0, 20.0, 45.0], &[1.0, 1.0, 1.0]]);
        assert!(one.distance(&longer) < 1e-12 && one.distance(&louder) < 1e-12);
    }

    #[test]
    fn the_distance_is_the_mean_of_the_log_ratios() {
        let one = profile(1, &[&[1.0, 1.0], &[1.0, 1.0]]);
        // ratios of the norms e and 1: logarithms 1 and 0, half from their mean each
        let other = profile(1, &[&[1f64.exp().powi(2), 1.0], &[1.0, 1.0]]);
        assert!((one.distance(&other) - 0.25).abs() < 1e-12);
        assert!((other.distance(&one) - 0.25).abs() < 1e-12);
        assert_eq!(one.block_distances(&other)[1], 0.0);
    }

    #[test]
    fn a_silent_input_is_far_and_finite() {
        let distance = profile(1, &[&[1.0, 0.0]]).distance(&profile(1, &[&[1.0, 1.0]]));
        assert!(distance.is_finite() && distance > 5.0, "{distance}");
        assert_eq!(profile(1, &[&[0.0, 0.0]]).distance(&profile(1, &[&[0.0, 0.0]])), 0.0);
    }
}
