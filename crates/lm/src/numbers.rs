//! Scans over logits.

/// The largest of `values`, minus infinity where there are none.
pub(crate) fn maximum(values: &[f32]) -> f32 {
    // Lanes that do not wait for each other: a plain fold takes one value at a time.
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, tail) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(tail).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_is_found_wherever_it_stands() {
        for length in [1, 15, 16, 17, 64, 99] {
            for place in 0..length {
                let mut values = vec![-5.0; length];
                values[place] = -1.0;
                assert_eq!(maximum(&values), -1.0, "{length} {place}");
            }
        }
        assert_eq!(maximum(&[]), f32::NEG_INFINITY);
    }
}
