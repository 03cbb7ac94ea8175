//! Sequences that differ from each other as the model sees them.

use compute::{Matrix, Stream, mix};
use lm::{Observer, scoring};
use rayon::prelude::*;

use super::cluster::{clusters, nearest_members};
use super::{Choice, Pool, Selection};
use crate::{Result, scores::within};

/// Keys the projection apart from other draws.
const PROJECTION: u64 = 0x7072_6f6a;

/// Dimensions that activations are projected to.
const DIMENSIONS: usize = 64;

/// Keeps one sequence of every cluster of activations.
pub(super) struct Diverse;

impl Selection for Diverse {
    fn name(&self) -> &'static str {
        "diverse"
    }

    fn summary(&self) -> &'static str {
        "one sequence of each cluster of activations, so that all kinds of the pool are there"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Averages the residual stream after the middle block over the tokens of every sequence of the pool,
  scales every dimension to unit variance over the pool, projects to 64 dimensions at random, finds as
  many clusters as sequences are wanted (k-means), and keeps of each the sequence nearest to its
  centre.

When to use it
  With collected text of many kinds, where a random draw is mostly of the commonest. Compare with
  `random` from the same pool.

Parameters
  pool (--pool): sequences drawn for each that is kept, 4. seed: of the projection and of the first
  centres.

Cost
  Half a forward pass over the pool, four times the tokens that are kept.

Reference
  After COLA (He et al., Preserving LLM Capabilities through Calibration Data Curation, 2025):
  activations, random projection, k-means, nearest sample. k-means++: Arthur and Vassilvitskii, 2007."
    }

    fn choose(&self, pool: &Pool<'_>, observer: &dyn Observer) -> Result<Choice> {
        let sequences: Vec<&[u32]> = pool.sequences.iter().map(Vec::as_slice).collect();
        let (model, memory) = (pool.workspace.model, pool.workspace.memory);
        let blocks = model.spec().blocks.len().div_ceil(2);
        let states = within(memory, |options| {
            scoring::pooled_states(model, &sequences, blocks, options, observer)
        })?;
        let points = projected(&standardised(&states), pool.seed);
        observer.check()?;
        let found = clusters(&points, pool.wanted, pool.seed);
        Ok(Choice { kept: nearest_members(&points, &found), scores: Vec::new() })
    }
}

/// Rows whose every column has mean 0 and variance 1; a column that does not vary is 0.
fn standardised(states: &Matrix) -> Vec<Vec<f64>> {
    let (rows, cols) = (states.rows(), states.cols());
    let mut points = vec![vec![0.0; cols]; rows];
    for col in 0..cols {
        let values = || (0..rows).map(|row| f64::from(states.row(row)[col]));
        let mean = values().sum::<f64>() / rows as f64;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / rows as f64;
        let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
        points.iter_mut().zip(values()).for_each(|(point, value)| {
            point[col] = (value - mean) * scale;
        });
    }
    points
}

/// Projections onto random directions of signs (Achlioptas, 2003): distances are kept on average.
fn projected(points: &[Vec<f64>], seed: u64) -> Vec<Vec<f64>> {
    let inputs = points.first().map_or(0, Vec::len);
    let random = Stream::new(mix(seed ^ PROJECTION), 0);
    let sign = |at: u64| if random.bits(at) & 1 == 0 { 1.0 } else { -1.0 };
    let directions: Vec<Vec<f64>> = (0..DIMENSIONS)
        .map(|d| (0..inputs).map(|input| sign((d * inputs + input) as u64)).collect())
        .collect();
    let scale = (DIMENSIONS as f64).sqrt().recip();
    let project = |point: &Vec<f64>| {
        let onto = |direction: &Vec<f64>| {
            scale * point.iter().zip(direction).map(|(x, sign)| x * sign).sum::<f64>()
        };
        directions.iter().map(onto).collect()
    };
    points.par_iter().map(project).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_unit_variance() {
        let points = standardised(&Matrix::from_vec(4, 2, vec![1., 7., 3., 7., 1., 7., 3., 7.]));
        assert_eq!(points, [[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]);
    }

    #[test]
    fn projections_keep_distances_about() {
        let random = Stream::new(5, 5);
        let point = |row: u64| (0..400).map(|at| random.uniform(row * 400 + at) - 0.5).collect();
        let points: Vec<Vec<f64>> = (0..20).map(point).collect();
        let flat = projected(&points, 3);
        let distance = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let pairs = (0..20).flat_map(|a| (0..a).map(move |b| (a, b)));
        let ratios: Vec<f64> = pairs
            .map(|(a, b)| distance(&flat[a], &flat[b]) / distance(&points[a], &points[b]))
            .collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        assert!(ratios.iter().all(|ratio| (0.6..1.5).contains(ratio)), "{ratios:?}");
    }
}
