//! The search for values that are not numbers.

use rayon::prelude::*;

use crate::KernelLevel;
use crate::kernels::for_each_level;
use crate::precision::PIECE;

/// The index of the first value that is NaN or infinite.
pub fn first_non_finite(values: &[f32]) -> Option<usize> {
    let level = KernelLevel::active();
    let pieces = values.par_chunks(PIECE).enumerate();
    let piece = pieces
        .find_map_first(|(piece, values)| (count(level, values) > 0).then_some(piece * PIECE))?;
    values[piece..].iter().position(|value| !value.is_finite()).map(|index| piece + index)
}

/// How many values are NaN or infinite.
pub fn count_non_finite(values: &[f32]) -> usize {
    let level = KernelLevel::active();
    values.par_chunks(PIECE).map(|values| count(level, values) as usize).sum()
}

for_each_level! { fn count(values: &[f32]) -> u32 = count_body }

#[inline(always)]
fn count_body<const FUSED: bool>(values: &[f32]) -> u32 {
    values.iter().map(|value| u32::from(!value.is_finite())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    #[test]
    fn finds_what_is_not_finite_and_nothing_else() {
        let mut values = random(1, 100_003, 1).into_vec();
        (values[0], values[1], values[2]) = (f32::MAX, -0.0, 1e-45);
        assert_eq!((first_non_finite(&values), count_non_finite(&values)), (None, 0));
        for (count, index) in [100_002, 99_999, 40_000, 32_768, 32_767, 3].into_iter().enumerate() {
            values[index] = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY][count % 4];
            assert_eq!(first_non_finite(&values), Some(index));
            assert_eq!(count_non_finite(&values), count + 1);
        }
        for level in KernelLevel::available() {
            assert_eq!(count(level, &values), 6, "{level}");
        }
        assert_eq!((first_non_finite(&[]), count_non_finite(&[])), (None, 0));
    }
}
