//! Scans over logits.

use compute::largest;

/// The largest of `values`; not a number where one of them is not finite.
pub(crate) fn finite_maximum(values: &[f32]) -> f32 {
    // `0 · x` is a zero for a number and NaN for the rest.
    let mut lanes = [0.0f32; 16];
    let (chunks, tail) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += 0.0 * value;
        }
    }
    let zeros = lanes.into_iter().chain(tail.iter().map(|value| 0.0 * value));
    largest(values) + zeros.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_of_values_that_are_not_all_finite_is_no_number() {
        for length in [1, 16, 17, 64] {
            let values = vec![-3.0; length];
            assert_eq!(finite_maximum(&values), -3.0);
            for place in 0..length {
                for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut values = values.clone();
                    values[place] = wrong;
                    assert!(finite_maximum(&values).is_nan(), "{length} {place} {wrong}");
                }
            }
        }
    }
}
