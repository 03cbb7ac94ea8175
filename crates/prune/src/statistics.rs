//! What is measured of a site's input.

use compute::{LinearInput, Matrix, MatrixRef};
use rayon::prelude::*;

use crate::{Error, Result};

/// What the steps of a recipe have to know of the inputs of the linears they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The sum of squares of every input over all tokens.
    pub squared_norms: bool,
    /// The sum of every input over all tokens.
    pub sums: bool,
    /// The products of all pairs of inputs, summed over all tokens.
    pub gram: bool,
}

impl Needs {
    /// The weights alone: no calibration data, no forward pass.
    pub const NOTHING: Self = Self { squared_norms: false, sums: false, gram: false };
    /// The squares.
    pub const SQUARED_NORMS: Self = Self { squared_norms: true, ..Self::NOTHING };
    /// The squares and the plain sums.
    pub const MOMENTS: Self = Self { sums: true, ..Self::SQUARED_NORMS };
    /// The squares and the products of pairs.
    pub const GRAM: Self = Self { gram: true, ..Self::SQUARED_NORMS };
    /// All there is.
    pub const EVERYTHING: Self = Self { squared_norms: true, sums: true, gram: true };

    /// What both need.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            squared_norms: self.squared_norms || other.squared_norms,
            sums: self.sums || other.sums,
            gram: self.gram || other.gram,
        }
    }
}

/// Statistics of the inputs of one site over all calibration tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct InputStatistics {
    /// Tokens seen, each counted by its weight.
    pub tokens: f64,
    /// Sequences the tokens belong to.
    pub sequences: u64,
    /// Σ x_j² over the tokens, `[in]`.
    pub squared_norms: Vec<f64>,
    /// Σ x_j over the tokens, `[in]`; where it is wanted.
    pub sums: Option<Vec<f64>>,
    /// XᵀX, `[in, in]`, of which only the lower triangle holds values; where it is wanted.
    pub gram: Option<Matrix>,
}

impl InputStatistics {
    /// Statistics of no tokens yet, for `inputs` inputs and steps with these `needs`.
    pub fn new(inputs: usize, needs: Needs) -> Self {
        Self {
            tokens: 0.0,
            sequences: 0,
            squared_norms: vec![0.0; inputs],
            sums: needs.sums.then(|| vec![0.0; inputs]),
            gram: needs.gram.then(|| Matrix::zeros(inputs, inputs)),
        }
    }

    /// [`InputStatistics::new`] for the input that the linears of a stage share.
    pub(crate) fn of_stage(stage: &lm::Stage, needs: Needs) -> Self {
        Self::new(stage.linears.first().map_or(0, |linear| linear.inputs), needs)
    }

    /// Takes in the rows of `x`, `[tokens, in]`, the tokens of `sequences` sequences.
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn add(&mut self, x: MatrixRef<'_>, sequences: usize) {
        self.add_squares(x);
        if let Some(sums) = &mut self.sums {
            compute::add_column_sums(x, sums);
        }
        self.tokens += x.rows() as f64;
        self.sequences += sequences as u64;
    }

    /// [`InputStatistics::add`] of an input in the layout of linears.
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn add_input(&mut self, x: &LinearInput, sequences: usize) {
        if self.gram.is_some() || self.sums.is_some() {
            let values = x.to_matrix();
            self.add(values.view(), sequences);
            values.recycle();
        } else {
            compute::add_squared_input_norms(x, &mut self.squared_norms);
            self.tokens += x.rows() as f64;
            self.sequences += sequences as u64;
        }
    }

    /// [`InputStatistics::add`] with row `t` of `x` counted `weights[t]` times (0 or more): the sums
    /// are those of w·x², w·x and w·x·xᵀ. Rows of weight 0 are left out, and with them values that
    /// are not finite.
    ///
    /// # Panics
    /// When `x` has another width, or there is not one weight per row.
    pub fn add_weighted(&mut self, x: MatrixRef<'_>, weights: &[f32], sequences: usize) {
        assert_eq!(x.rows(), weights.len(), "one weight per token");
        let kept: Vec<usize> = (0..weights.len()).filter(|row| weights[*row] != 0.0).collect();
        let mut scaled = Matrix::default();
        scaled.reshape(kept.len(), x.cols());
        let scale = |scaled: &mut Matrix, from: &(dyn Fn(usize, &mut [f32]) + Sync)| {
            let rows = scaled.as_mut_slice().par_chunks_mut(x.cols().max(1)).zip(&kept);
            rows.for_each(|(scaled, row)| {
                from(*row, scaled);
                let factor = weights[*row].sqrt();
                if factor != 1.0 {
                    scaled.iter_mut().for_each(|value| *value *= factor);
                }
            });
        };
        scale(&mut scaled, &|row, scaled| scaled.copy_from_slice(x.row(row)));
        self.add_squares(scaled.view());
        if let Some(sums) = &mut self.sums {
            scale(&mut scaled, &|_, _| {}); // the root of the weight once more
            compute::add_column_sums(scaled.view(), sums);
        }
        scaled.recycle();
        self.tokens += weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
        self.sequences += sequences as u64;
    }

    fn add_squares(&mut self, x: MatrixRef<'_>) {
        compute::add_squared_column_norms(x, &mut self.squared_norms);
        if let Some(gram) = &mut self.gram {
            compute::add_gram(x, gram);
        }
    }

    /// The first input that was not finite on some token.
    pub fn first_non_finite(&self) -> Option<usize> {
        self.squared_norms.iter().position(|norm| !norm.is_finite())
    }

    /// ‖X_j‖₂ of every input, `[in]`.
    pub fn norms(&self) -> Vec<f32> {
        self.squared_norms.iter().map(|norm| norm.sqrt() as f32).collect()
    }

    /// XᵀX, `[in, in]`, both triangles.
    ///
    /// # Errors
    /// [`Error::Gram`] when a product is not finite.
    ///
    /// # Panics
    /// When the Gram matrix was not asked for.
    pub fn symmetric_gram(&self) -> Result<Matrix> {
        let mut gram = self.gram.clone().expect("the step asks for it");
        compute::mirror_lower(&mut gram);
        match compute::first_non_finite(gram.as_slice()) {
            Some(index) => {
                Err(Error::Gram { row: index / gram.cols(), column: index % gram.cols() })
            }
            None => Ok(gram),
        }
    }
}
