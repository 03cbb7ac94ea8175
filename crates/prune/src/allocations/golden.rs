//! What tools/goldens/allocations.py made.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use compute::Matrix;
use safetensors::SafeTensors;

const GOLDEN: &[u8] = include_bytes!("../../tests/goldens/allocations.safetensors");

/// Four blocks of one linear each: weights `[out, in]` and the norms of their inputs, `[in]`.
pub(super) struct Golden {
    file: SafeTensors<'static>,
    pub(super) blocks: Vec<(Matrix, Vec<f32>)>,
}

impl Golden {
    pub(super) fn read() -> Self {
        let file = SafeTensors::deserialize(GOLDEN).unwrap();
        let values = |name: String| -> Vec<f32> {
            let data = file.tensor(&name).unwrap().data();
            data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let block = |index: usize| {
            let norms = values(format!("{index}.norms"));
            let weights = values(format!("{index}.weight"));
            (Matrix::from_vec(weights.len() / norms.len(), norms.len(), weights), norms)
        };
        let blocks = (0..4).map(block).collect();
        Self { file, blocks }
    }

    /// Weights of each block.
    pub(super) fn sizes(&self) -> Vec<f64> {
        self.blocks.iter().map(|(weights, _)| weights.as_slice().len() as f64).collect()
    }

    /// Compares what was measured of the blocks and the shares of zeros for three targets.
    pub(super) fn check(
        &self,
        allocation: &str,
        measured: &[f64],
        tolerance: f64,
        shares: impl Fn(f64) -> Vec<f64>,
    ) {
        let near = |found: &[f64], name: &str| {
            let data = self.file.tensor(name).unwrap().data();
            let expected = data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= tolerance + 1e-9, "{name}: {found} {expected}");
            }
        };
        near(measured, allocation);
        for target in [0.3, 0.5, 0.7] {
            near(&shares(target), &format!("{allocation}.{target}"));
        }
    }
}
