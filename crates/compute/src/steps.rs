//! What solvers do between two products: passes over whole matrices.

use rayon::prelude::*;

use crate::KernelLevel;
use crate::kernels::{for_each_level, multiply_add};
use crate::precision::PIECE;

/// `target = base + f · values`, element by element, where `f` is the second of `factors` if the mask
/// is set and the first if not.
///
/// # Panics
/// When the slices differ in length.
pub fn add_by_mask(
    target: &mut [f32],
    (base, values): (&[f32], &[f32]),
    factors: [f32; 2],
    mask: &[bool],
) {
    assert!([base.len(), values.len(), mask.len()] == [target.len(); 3], "slices of one length");
    let level = KernelLevel::active();
    let pieces = target.par_chunks_mut(PIECE).zip(base.par_chunks(PIECE));
    let pieces = pieces.zip(values.par_chunks(PIECE)).zip(mask.par_chunks(PIECE));
    pieces.for_each(|(((target, base), values), mask)| {
        add_masked(level, target, (base, values), factors, mask);
    });
}

/// `values = base + f · values`, with `f` as in [`add_by_mask`].
///
/// # Panics
/// When the slices differ in length.
pub fn scale_by_mask_and_add(values: &mut [f32], base: &[f32], factors: [f32; 2], mask: &[bool]) {
    assert!([base.len(), mask.len()] == [values.len(); 2], "slices of one length");
    let level = KernelLevel::active();
    let pieces = values.par_chunks_mut(PIECE).zip(base.par_chunks(PIECE));
    pieces.zip(mask.par_chunks(PIECE)).for_each(|((values, base), mask)| {
        scale_masked(level, values, base, factors, mask);
    });
}

for_each_level! {
    fn add_masked(
        target: &mut [f32],
        sources: (&[f32], &[f32]),
        factors: [f32; 2],
        mask: &[bool],
    ) = add_masked_body
}
for_each_level! {
    fn scale_masked(values: &mut [f32], base: &[f32], factors: [f32; 2], mask: &[bool])
        = scale_masked_body
}

#[inline(always)]
fn add_masked_body<const FUSED: bool>(
    target: &mut [f32],
    (base, values): (&[f32], &[f32]),
    [clear, set]: [f32; 2],
    mask: &[bool],
) {
    for (((target, base), value), mask) in target.iter_mut().zip(base).zip(values).zip(mask) {
        *target = multiply_add::<FUSED>(if *mask { set } else { clear }, *value, *base);
    }
}

#[inline(always)]
fn scale_masked_body<const FUSED: bool>(
    values: &mut [f32],
    base: &[f32],
    [clear, set]: [f32; 2],
    mask: &[bool],
) {
    for ((value, base), mask) in values.iter_mut().zip(base).zip(mask) {
        *value = multiply_add::<FUSED>(if *mask { set } else { clear }, *value, *base);
    }
}

/// One row of unknowns between two iterations of conjugate gradients (Hestenes and Stiefel, 1952), all
/// `[n]`. What the mask removes is held at what it is.
pub struct ConjugateRow<'a> {
    /// The unknowns.
    pub unknowns: &'a mut [f32],
    /// The right side less the matrix times the unknowns, zero where removed.
    pub residual: &'a mut [f32],
    /// The direction of the next step.
    pub direction: &'a mut [f32],
    /// The matrix times the direction.
    pub product: &'a [f32],
    /// What is removed.
    pub removed: &'a [bool],
}

impl ConjugateRow<'_> {
    /// One step, unless the squared residual is no larger than `floor` or the direction has no
    /// curvature.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn step(self, floor: f64) {
        let lengths = [self.residual.len(), self.direction.len(), self.product.len()];
        assert!(lengths == [self.unknowns.len(); 3] && self.removed.len() == lengths[0]);
        conjugate_step(KernelLevel::active(), self, floor);
    }
}

for_each_level! { fn conjugate_step(row: ConjugateRow<'_>, floor: f64) = conjugate_step_body }

#[inline(always)]
fn conjugate_step_body<const FUSED: bool>(row: ConjugateRow<'_>, floor: f64) {
    let ConjugateRow { unknowns, residual, direction, product, removed } = row;
    let before = dot_body::<FUSED>(residual, residual);
    let curvature = dot_body::<FUSED>(direction, product);
    if before <= floor || curvature <= 0.0 {
        return;
    }
    let length = (before / curvature) as f32;
    for (unknown, direction) in unknowns.iter_mut().zip(direction.iter()) {
        *unknown = multiply_add::<FUSED>(length, *direction, *unknown);
    }
    for ((residual, product), removed) in residual.iter_mut().zip(product).zip(removed) {
        let left = multiply_add::<FUSED>(-length, *product, *residual);
        *residual = if *removed { 0.0 } else { left };
    }
    let ratio = (dot_body::<FUSED>(residual, residual) / before) as f32;
    for (direction, residual) in direction.iter_mut().zip(residual.iter()) {
        *direction = multiply_add::<FUSED>(ratio, *direction, *residual);
    }
}

/// The scalar product in `f64`, where the products of two `f32` are exact.
///
/// # Panics
/// When the slices differ in length.
pub fn dot(left: &[f32], right: &[f32]) -> f64 {
    assert_eq!(left.len(), right.len(), "slices of one length");
    dot_at(KernelLevel::active(), left, right)
}

for_each_level! { fn dot_at(left: &[f32], right: &[f32]) -> f64 = dot_body }

/// Sums side by side, so that the processor can take them together.
#[inline(always)]
fn dot_body<const FUSED: bool>(left: &[f32], right: &[f32]) -> f64 {
    const LANES: usize = 32;
    let mut sums = [0.0f64; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += f64::from(left[lane]) * f64::from(right[lane]);
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        sums[lane] += f64::from(*left) * f64::from(*right);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;
    use crate::testing::random;

    fn mask(length: usize) -> Vec<bool> {
        (0..length).map(|index| index % 3 == 0).collect()
    }

    #[test]
    fn the_mask_chooses_the_factor() {
        for length in [0, 1, 33, PIECE + 7] {
            let values = random(1, length, 1).into_vec();
            let (base, mask) = (random(1, length, 2).into_vec(), mask(length));
            let mut target = vec![f32::NAN; length];
            add_by_mask(&mut target, (&base, &values), [2.0, -0.5], &mask);
            let mut scaled = values.clone();
            scale_by_mask_and_add(&mut scaled, &base, [2.0, -0.5], &mask);
            assert_eq!(target, scaled);
            for index in 0..length {
                let factor = if mask[index] { -0.5 } else { 2.0 };
                assert!((target[index] - (base[index] + factor * values[index])).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_scalar_product_is_that_of_f64() {
        for length in [0, 1, 31, 32, 1000] {
            let (left, right) = (random(1, length, 1), random(1, length, 2));
            let pairs = left.as_slice().iter().zip(right.as_slice());
            let expected: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((dot(left.as_slice(), right.as_slice()) - expected).abs() < 1e-12);
        }
    }

    /// A system of `n` unknowns, of which a third is held, is solved after as many steps as there are
    /// unknowns.
    #[test]
    fn conjugate_gradients_solve_a_definite_system() {
        let n = 12;
        let factor = random(n, n, 1);
        let product = |a: &[f32], b: &[f32]| dot(a, b) as f32;
        let matrix = |row: usize, column: usize| {
            let own = if row == column { 1.0 } else { 0.0 };
            product(factor.row(row), factor.row(column)) + own
        };
        let matrix = (0..n * n).map(|at| matrix(at / n, at % n)).collect();
        let matrix = Matrix::from_vec(n, n, matrix);
        let (goal, removed) = (random(1, n, 2).into_vec(), mask(n));
        let kept = |at: usize, value: f32| if removed[at] { 0.0 } else { value };
        let mut unknowns = vec![0.0; n];
        let mut residual: Vec<f32> = (0..n).map(|at| kept(at, goal[at])).collect();
        let mut direction = residual.clone();
        for _ in 0..2 * n {
            let along: Vec<f32> = (0..n).map(|at| product(matrix.row(at), &direction)).collect();
            let row = ConjugateRow {
                unknowns: &mut unknowns,
                residual: &mut residual,
                direction: &mut direction,
                product: &along,
                removed: &removed,
            };
            row.step(1e-12);
        }
        for at in 0..n {
            let left = goal[at] - product(matrix.row(at), &unknowns);
            assert!(
                if removed[at] { unknowns[at] == 0.0 } else { left.abs() < 1e-5 },
                "{at} {left}"
            );
        }
    }
}
