//! A linear layer: `y = x · Wᵀ + b`.

use std::ops::Range;

use crate::kernels::{
    Kernels, Line, PANEL, Weights, apply, apply_gated, empty_panels, pack_into, pack_matrix,
};
use crate::{Activation, KernelLevel, LinearInput, Matrix, MatrixRef, Precision};

/// The weights of a linear layer, packed for multiplication: 2 bytes per weight in
/// [`Precision::Bf16`], 4 in [`Precision::F32`].
///
/// Each output element is the same sum in the same order whatever the number of rows of `x` and of
/// threads, so a token's result does not depend on the batch it ran in. NaN and infinities go the
/// way of the arithmetic.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[panels][depth][PANEL]` words.
    panels: Vec<Line>,
    /// One value per output, zero up to the end of the last panel.
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
    precision: Precision,
}

impl Linear {
    /// Packs `weights` (`[out, in]`) and an optional bias (`[out]`).
    ///
    /// In [`Precision::Bf16`] weights and bias are rounded to bf16, results too.
    ///
    /// # Panics
    /// When the bias does not have one value per output.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(weights: Matrix, bias: Option<Vec<f32>>, precision: Precision) -> Self {
        Self::pack(weights.view(), bias.as_deref(), precision)
    }

    /// [`Linear::new`] from borrowed weights (`[out, in]`) and bias (`[out]`).
    ///
    /// # Panics
    /// When the bias does not have one value per output.
    pub fn pack(weights: MatrixRef<'_>, bias: Option<&[f32]>, precision: Precision) -> Self {
        Self::pack_for(Kernels { level: KernelLevel::active(), precision }, weights, bias)
    }

    /// [`Linear::new`] without a bias from some rows of the weights at a time, `[outputs, inputs]` in all,
    /// so that they are never whole beside what is made of them: `read` gets the rows, about `rows` of
    /// them, and gives their weights.
    ///
    /// # Errors
    /// The first of `read`.
    ///
    /// # Panics
    /// When `read` gives a matrix of another shape.
    pub fn try_in_parts<E>(
        (outputs, inputs): (usize, usize),
        precision: Precision,
        rows: usize,
        mut read: impl FnMut(Range<usize>) -> Result<Matrix, E>,
    ) -> Result<Self, E> {
        let kernels = Kernels { level: KernelLevel::active(), precision };
        let mut panels = empty_panels(kernels, outputs, inputs);
        let (step, lines) = (rows.next_multiple_of(PANEL).max(PANEL), kernels.panel_lines(inputs));
        for start in (0..outputs).step_by(step) {
            let range = start..outputs.min(start + step);
            let part = read(range.clone())?;
            assert_eq!((part.rows(), part.cols()), (range.len(), inputs), "the rows asked for");
            let own = start / PANEL * lines..range.end.div_ceil(PANEL) * lines;
            pack_into(kernels, part.view(), &mut panels[own]);
        }
        Ok(Self { panels, bias: None, inputs, outputs, precision })
    }

    fn pack_for(kernels: Kernels, weights: MatrixRef<'_>, bias: Option<&[f32]>) -> Self {
        let (outputs, inputs, precision) = (weights.rows(), weights.cols(), kernels.precision);
        let padded = outputs.next_multiple_of(PANEL);
        let bias = bias.map(|bias| {
            assert_eq!(bias.len(), outputs, "a bias has one value per output");
            let zeros = std::iter::repeat_n(0.0, padded - outputs);
            bias.iter().map(|&value| precision.round(value)).chain(zeros).collect()
        });
        let panels = pack_matrix(kernels, weights);
        Self { panels, bias, inputs, outputs, precision }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x · Wᵀ + b`: `[tokens, in]` → `[tokens, out]`, rounded as the precision says.
    ///
    /// # Panics
    /// When `x` does not have `in` columns.
    pub fn apply(&self, x: MatrixRef<'_>) -> Matrix {
        let x = LinearInput::pack(x, self.precision);
        let [y] = Self::apply_all([self], &x);
        x.recycle();
        y
    }

    /// [`Linear::apply`] into `y`, whose memory is used again.
    ///
    /// # Panics
    /// When `x` does not have `in` columns or is of another precision.
    pub fn apply_into(&self, x: &LinearInput, y: &mut Matrix) {
        Self::apply_each([self], x, [y]);
    }

    /// [`Linear::apply`] of several layers, which is faster than one after another.
    ///
    /// # Panics
    /// When `x` does not have `in` columns, or the precisions differ.
    pub fn apply_all<const N: usize>(layers: [&Self; N], x: &LinearInput) -> [Matrix; N] {
        let mut y = layers.map(|_| Matrix::default());
        Self::apply_each(layers, x, y.each_mut());
        y
    }

    fn apply_each<const N: usize>(layers: [&Self; N], x: &LinearInput, y: [&mut Matrix; N]) {
        let mut outputs = layers.iter();
        let y = y.map(|y| {
            let layer = outputs.next().expect("as many layers");
            layer.check(x);
            y.reshape(x.rows(), layer.outputs);
            y.as_mut_slice()
        });
        apply(x, layers.map(Self::weights), y);
    }

    /// The weights, for an input that is held to the layer.
    pub(crate) fn checked_weights(&self, x: &LinearInput) -> Weights<'_> {
        self.check(x);
        self.weights()
    }

    /// Holds an input to the layer.
    fn check(&self, x: &LinearInput) {
        assert_eq!(x.cols(), self.inputs, "the input's width is the layer's");
        assert_eq!(x.kernels().precision, self.precision, "layer and input of one precision");
    }

    /// The gated product `activation(x · Gᵀ) · (x · Uᵀ)` (Shazeer, 2020, "GLU Variants Improve
    /// Transformer"), element by element: `[tokens, in]` → `[tokens, out]`, the input of the layer that
    /// follows. Both factors, the activation's result and the product are rounded as the precision says.
    ///
    /// # Panics
    /// When `x` does not have `in` columns, or shapes or precisions of the layers differ.
    pub fn apply_gated(layers: [&Self; 2], x: &LinearInput, activation: Activation) -> LinearInput {
        layers.iter().for_each(|layer| layer.check(x));
        apply_gated(x, layers.map(Self::weights), activation)
    }

    fn weights(&self) -> Weights<'_> {
        let Self { panels, bias, inputs, outputs, .. } = self;
        Weights { panels, bias: bias.as_deref(), inputs: *inputs, outputs: *outputs }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels;
    use crate::testing::{bits, in_pool, random};

    fn apply_at(level: KernelLevel, layer: &Linear, x: MatrixRef<'_>) -> Matrix {
        let x = LinearInput::pack_for(Kernels { level, precision: layer.precision }, x);
        let [y] = Linear::apply_all([layer], &x);
        y
    }

    /// The product in f64, and the sum of the absolute values of its terms.
    fn twin(layer: (&Matrix, &[f32]), x: &[f32], precision: Precision) -> Vec<(f64, f64)> {
        let (weights, bias) = layer;
        let round = |x: f32| f64::from(precision.round(x));
        let output = |column: usize| {
            let terms = weights.row(column).iter().zip(x).map(|(&w, &x)| round(w) * round(x));
            let bias = round(bias[column]);
            let (sum, size) = terms.fold((bias, bias.abs()), |(s, a), t| (s + t, a + t.abs()));
            (sum, size)
        };
        (0..weights.rows()).map(output).collect()
    }

    fn check(level: KernelLevel, (rows, inputs, outputs): (usize, usize, usize)) {
        let (weights, x) = (random(outputs, inputs, 1), random(rows, inputs, 2));
        let bias = random(1, outputs, 3).into_vec();
        for precision in [Precision::F32, Precision::Bf16] {
            let layer = Linear::pack(weights.view(), Some(&bias), precision);
            let y = apply_at(level, &layer, x.view());
            let unit = if precision == Precision::F32 { 0.0 } else { f64::from(2.0f32.powi(-8)) };
            for row in 0..rows {
                let expected = twin((&weights, &bias), x.row(row), precision);
                for (&y, (sum, size)) in y.row(row).iter().zip(expected) {
                    let allowed = 4e-7 * (inputs as f64).sqrt().max(4.0) * size + unit * sum.abs();
                    let error = (f64::from(y) - sum).abs();
                    assert!(error <= allowed, "{level} {precision:?}: {y} for {sum}");
                }
            }
        }
    }

    #[test]
    fn odd_shapes_equal_the_f64_twin_at_every_level() {
        for level in KernelLevel::available() {
            for rows in [1, 2, 5, 7, 12, 13, 33, 127] {
                check(level, (rows, 33, 127));
            }
            for inputs in [0, 1, 2, 31, 1025, 2049] {
                check(level, (3, inputs, 33));
            }
            for outputs in [0, 1, 31, 32, 65, 161] {
                check(level, (5, 7, outputs));
            }
            check(level, (0, 3, 3));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn shapes_equal_the_f64_twin(rows in 1usize..150, inputs in 1usize..200, outputs in 1usize..150) {
            KernelLevel::available().for_each(|level| check(level, (rows, inputs, outputs)));
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_batch_and_on_any_number_of_threads() {
        // of one block of inputs, and of two
        for (rows, inputs, outputs) in [(230, 1063, 131), (170, 2500, 70)] {
            let (weights, x) = (random(outputs, inputs, 1), random(rows, inputs, 2));
            let bias = random(1, outputs, 3).into_vec();
            for (precision, bias) in
                [(Precision::F32, None), (Precision::Bf16, None), (Precision::Bf16, Some(&*bias))]
            {
                let layer = Linear::pack(weights.view(), bias, precision);
                for level in KernelLevel::available() {
                    let whole = in_pool(1, || apply_at(level, &layer, x.view()));
                    for (threads, batch) in [(2, rows), (5, rows), (1, 1), (2, 5), (5, 13), (2, 97)]
                    {
                        in_pool(threads, || {
                            for start in (0..rows).step_by(batch) {
                                let end = rows.min(start + batch);
                                let part = apply_at(level, &layer, x.view_rows(start..end));
                                let expected = whole.view_rows(start..end);
                                assert_eq!(
                                    bits(part.as_slice()),
                                    bits(expected.as_slice()),
                                    "{level}"
                                );
                            }
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn a_layer_read_in_parts_is_that_read_at_once() {
        for outputs in [0, 1, 32, 131, 200] {
            let (weights, x) = (random(outputs, 70, 1), random(9, 70, 2));
            for precision in [Precision::F32, Precision::Bf16] {
                let expected = Linear::pack(weights.view(), None, precision).apply(x.view());
                for rows in [1, 32, 50, 1000] {
                    let read = |range: Range<usize>| -> Result<Matrix, ()> {
                        let part = weights.view_rows(range).as_slice().to_vec();
                        Ok(Matrix::from_vec(part.len() / 70, 70, part))
                    };
                    let parts = Linear::try_in_parts((outputs, 70), precision, rows, read);
                    let y = parts.unwrap().apply(x.view());
                    assert_eq!(bits(y.as_slice()), bits(expected.as_slice()));
                }
                let failed = Linear::try_in_parts((5, 70), precision, 2, |_| Err("no"));
                assert_eq!(failed.unwrap_err(), "no");
            }
        }
    }

    #[test]
    fn layers_together_give_the_bits_that_each_gives_alone() {
        for (rows, inputs) in [(1, 33), (13, 64), (40, 577), (230, 577)] {
            let x = random(rows, inputs, 7);
            for precision in [Precision::F32, Precision::Bf16] {
                let layer = |outputs, seed| {
                    let bias = random(1, outputs, seed + 1).into_vec();
                    Linear::new(random(outputs, inputs, seed), Some(bias), precision)
                };
                let layers = [layer(131, 1), layer(32, 3), layer(5, 5)];
                for threads in [1, 3] {
                    let [a, b, c] = layers.each_ref();
                    let input = LinearInput::pack(x.view(), precision);
                    let all = in_pool(threads, || Linear::apply_all([a, b, c], &input));
                    for (layer, y) in layers.iter().zip(all) {
                        assert_eq!(bits(y.as_slice()), bits(layer.apply(x.view()).as_slice()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_gated_product_is_made_of_its_rounded_factors_at_every_level() {
        for (rows, inputs, outputs) in [(0, 3, 5), (1, 33, 131), (13, 64, 300), (230, 577, 70)] {
            let mut x = random(rows, inputs, 7);
            if rows > 5 {
                x.row_mut(5)[7] = f32::NAN;
            }
            for precision in [Precision::F32, Precision::Bf16] {
                for level in KernelLevel::available() {
                    let with = Kernels { level, precision };
                    let layer = |seed| {
                        let weights = random(outputs, inputs, seed);
                        Linear::pack_for(with, weights.view(), None)
                    };
                    let (gate, up) = (layer(1), layer(2));
                    let [gates, ups] = [&gate, &up].map(|layer| apply_at(level, layer, x.view()));
                    let mut expected = LinearInput::new(with, rows, outputs);
                    let (words, stride) = expected.words_mut();
                    for (row, words) in words.chunks_exact_mut(stride).enumerate() {
                        let factors = kernels::Row { gate: gates.row(row), up: ups.row(row) };
                        let words = &mut words[..with.row_words(outputs)];
                        kernels::gate(with, Activation::Silu, factors, words);
                    }
                    let expected = expected.to_matrix();
                    let input = LinearInput::pack_for(with, x.view());
                    for threads in [1, 3] {
                        let y = in_pool(threads, || {
                            Linear::apply_gated([&gate, &up], &input, Activation::Silu)
                        });
                        let y = y.to_matrix();
                        assert_eq!(bits(y.as_slice()), bits(expected.as_slice()), "{level}");
                    }
                }
            }
        }
    }

    /// Numbers of all signs around two to the power of `exponent`.
    fn around(exponent: f32, rows: usize, inputs: usize, seed: u64) -> Matrix {
        let (mut values, spread) = (random(rows, inputs, seed), random(rows, inputs, !seed));
        for (value, spread) in values.as_mut_slice().iter_mut().zip(spread.as_slice()) {
            *value *= (exponent + spread * 8.0).exp2();
        }
        values
    }

    /// Half the numbers on one side are denormal and count, but to the bf16 instruction, which reads
    /// them as zero.
    fn check_denormals(level: KernelLevel, (weights, x): (&Matrix, &Matrix), precision: Precision) {
        let layer = Linear::pack_for(Kernels { level, precision }, weights.view(), None);
        let y = apply_at(level, &layer, x.view());
        let flushes = level.multiplies_bf16() && precision == Precision::Bf16;
        // On ARM they are rounded first, and the largest come out as the smallest normal number.
        let judged = |value| if level.has_neon() { precision.round(value) } else { value };
        let read = |value: f32| match flushes && judged(value).is_subnormal() {
            true => 0.0,
            false => f64::from(precision.round(value)),
        };
        let unit = if precision == Precision::F32 { 0.0 } else { 1.0 / 256.0 };
        for (row, column) in (0..x.rows()).flat_map(|r| (0..weights.rows()).map(move |c| (r, c))) {
            let terms = x.row(row).iter().zip(weights.row(column));
            let terms = terms.map(|(&x, &w)| read(x) * read(w));
            let (sum, size) = terms.fold((0.0, 0.0), |(s, a): (f64, f64), t| (s + t, a + t.abs()));
            let error = (f64::from(y.row(row)[column]) - sum).abs();
            let allowed = 3e-6 * size + unit * sum.abs();
            assert!(error <= allowed, "{level} {precision:?}: {error} {allowed}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn denormals_are_zero_to_the_bf16_instruction_alone(seed in 0u64..1 << 40) {
            for (weights, x) in [(100.0, -126.0), (-126.0, 100.0)] {
                let sides = (&around(weights, 33, 37, 2 * seed), &around(x, 5, 37, 2 * seed + 1));
                for level in KernelLevel::available() {
                    check_denormals(level, sides, Precision::F32);
                    check_denormals(level, sides, Precision::Bf16);
                }
            }
        }
    }

    #[test]
    fn nan_and_infinity_reach_their_outputs_alone() {
        let inputs = 37;
        let weights = random(70, inputs, 1);
        for precision in [Precision::F32, Precision::Bf16] {
            let layer = Linear::pack(weights.view(), None, precision);
            for level in KernelLevel::available() {
                let mut x = random(14, inputs, 2);
                (x.row_mut(3)[5], x.row_mut(4)[36]) = (f32::NAN, f32::INFINITY);
                let y = apply_at(level, &layer, x.view());
                for row in 0..14 {
                    let finite = y.row(row).iter().filter(|y| y.is_finite()).count();
                    assert_eq!(finite, if matches!(row, 3 | 4) { 0 } else { 70 }, "{level} {row}");
                }
                assert!(y.row(3).iter().all(|y| y.is_nan()));
            }
        }
    }

    #[test]
    fn denormal_inputs_survive_in_f32() {
        let layer = Linear::new(Matrix::from_vec(1, 1, vec![2.0]), None, Precision::F32);
        let x = Matrix::from_vec(1, 1, vec![1e-40]);
        for level in KernelLevel::available() {
            assert_eq!(apply_at(level, &layer, x.view()).as_slice(), [1e-40f32 * 2.0]);
        }
    }

    #[test]
    fn packed_weights_take_what_their_values_take() {
        let weights = random(64, 100, 1);
        for (precision, bytes) in [(Precision::F32, 4), (Precision::Bf16, 2)] {
            let layer = Linear::pack(weights.view(), None, precision);
            assert_eq!(size_of_val(layer.panels.as_slice()), 64 * 100 * bytes);
        }
    }

    #[test]
    fn a_result_takes_the_place_of_the_last() {
        let layer = Linear::new(random(9, 4, 1), None, Precision::F32);
        let mut y = random(50, 70, 2);
        let x = LinearInput::pack(random(3, 4, 3).view(), Precision::F32);
        layer.apply_into(&x, &mut y);
        assert_eq!(y, layer.apply(random(3, 4, 3).view()));
    }
}
