//! RIA and DSnoT against a plain NumPy rendering of their formulas (tools/goldens/methods.py).
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use compute::Matrix;
use prune::methods::{self, Target};
use prune::{InputStatistics, Needs, Scope};
use safetensors::SafeTensors;

const GOLDEN: &[u8] = include_bytes!("goldens/methods.safetensors");

fn matrix(file: &SafeTensors<'_>, name: &str) -> Matrix {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Matrix::from_vec(tensor.shape()[0], tensor.shape()[1], values)
}

#[test]
fn ria_and_dsnot_choose_what_their_formulas_choose() {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let dense = matrix(&file, "weight");
    let inputs = matrix(&file, "inputs");
    let mut statistics = InputStatistics::new(inputs.cols(), Needs::MOMENTS);
    statistics.add(inputs.view(), 1);
    for method in ["ria", "dsnot"] {
        let prepared = methods::find(method).unwrap().prepare(&statistics).unwrap();
        for pattern in ["0.5", "0.7", "2:4", "4:8"] {
            for (name, scope) in [("row", Scope::Row), ("layer", Scope::Layer)] {
                let target = Target { pattern: pattern.parse().unwrap(), scope };
                let found = prepared.prune(&dense, target).unwrap();
                let expected = file.tensor(&format!("{method}.{pattern}.{name}")).unwrap();
                let expected: Vec<bool> = expected.data().iter().map(|byte| *byte == 1).collect();
                let differing = found.mask.removed().iter().zip(&expected).filter(|(a, b)| a != b);
                assert_eq!(differing.count(), 0, "{method} {pattern} {name}");
            }
        }
    }
}
