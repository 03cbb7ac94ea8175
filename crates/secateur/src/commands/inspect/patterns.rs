//! Which N:M patterns the zeros of a linear obey.

/// The patterns that are looked for, as (kept, of), the strictest first.
const CANDIDATES: [(usize, usize); 6] = [(1, 4), (2, 8), (1, 2), (2, 4), (4, 8), (8, 16)];

/// The patterns that hold for `values`, `[out, in]`: no group of M consecutive inputs keeps more
/// than N weights.
pub(super) fn that_hold(values: &[f32], inputs: usize) -> Vec<String> {
    let holds = |&&(keep, of): &&(usize, usize)| {
        inputs.is_multiple_of(of) && values.chunks(of).all(|group| kept(group) <= keep)
    };
    let held = CANDIDATES.iter().filter(holds);
    held.map(|(keep, of)| format!("{keep}:{of}")).collect()
}

fn kept(group: &[f32]) -> usize {
    group.iter().filter(|weight| **weight != 0.0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_where_no_group_keeps_too_many() {
        let two_of_four = [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0];
        assert_eq!(that_hold(&two_of_four, 8), ["2:4", "4:8"]);
        assert_eq!(that_hold(&two_of_four, 4), ["2:4"]);
        assert_eq!(that_hold(&[1.0; 8], 8), [""; 0]);
        assert_eq!(that_hold(&[0.0, -1.0, 0.0, 0.0], 4), ["1:4", "1:2", "2:4"]);
        assert!(that_hold(&[0.0; 6], 3).is_empty(), "three inputs are divided by none");
    }
}
