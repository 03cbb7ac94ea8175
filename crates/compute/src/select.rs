//! Selection of the smallest scores.

/// The indices of exactly `count` smallest `scores`, in no particular order; of equal scores the
/// lower indices are taken. NaN counts as larger than every number.
///
/// # Panics
/// When there are fewer than `count` scores.
pub fn select_smallest(scores: &[f32], count: usize) -> Vec<usize> {
    assert!(count <= scores.len(), "{count} of {} scores", scores.len());
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    let key = |&index: &u32| (Ordered(scores[index as usize]), index);
    if count > 0 && count < scores.len() {
        order.select_nth_unstable_by_key(count - 1, key);
    }
    order[..count].iter().map(|&index| index as usize).collect()
}

/// A score in its total order.
#[derive(PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
