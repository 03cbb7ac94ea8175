//! The running sums of a softmax.

use super::{Weighed, for_each_level};
use crate::KernelLevel;
use crate::exponential::{EXP2_FULL, exp2_falling};

/// What the keys so far have left of every row.
pub(crate) struct Running<'a> {
    pub(crate) level: KernelLevel,
    /// Factor from differences of scores to exponents of two.
    pub(crate) factor: f32,
    /// Weighted values, `[rows, width]`, not yet divided by the sums; there may be room for more rows.
    /// Before the first keys they are whatever was in the memory.
    pub(crate) values: &'a mut [f32],
    pub(crate) width: usize,
    /// The scores whose weight is 1.
    pub(crate) references: &'a mut [f32],
    /// Sums of the weights.
    pub(crate) sums: &'a mut [f32],
}

impl Running<'_> {
    /// The rows from `row` on.
    pub(crate) fn below(self, row: usize) -> Self {
        let Self { values, width, references, sums, .. } = self;
        let (values, sums) = (&mut values[row * width..], &mut sums[row..]);
        Self { values, references: &mut references[row..], sums, ..self }
    }

    /// Adds the sum of a row's weights for more keys; what the row holds is scaled down by as much as its
    /// reference has grown.
    #[inline]
    pub(crate) fn take(&mut self, row: usize, weighed: Weighed) {
        let reference = &mut self.references[row];
        if weighed.reference > *reference {
            // before the first keys there is nothing to scale, and the values are whatever was there
            if *reference > f32::NEG_INFINITY {
                let values = &mut self.values[row * self.width..][..self.width];
                let exponent = (*reference - weighed.reference) * self.factor;
                shrink(self.level, (values, &mut self.sums[row]), exponent);
            }
            *reference = weighed.reference;
        }
        self.sums[row] += weighed.sum;
    }
}

for_each_level! {
    /// Multiplies values and sum by two to the power of `exponent`.
    fn shrink(row: (&mut [f32], &mut f32), exponent: f32) = shrink_body
}

#[inline(always)]
fn shrink_body<const FUSED: bool>((values, sum): (&mut [f32], &mut f32), exponent: f32) {
    let factor = exp2_falling::<FUSED>(exponent, &EXP2_FULL);
    values.iter_mut().for_each(|value| *value *= factor);
    *sum *= factor;
}
