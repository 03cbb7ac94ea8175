//! What is measured of a site's input.

use compute::{Matrix, MatrixRef};

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
    /// Tokens seen.
    pub tokens: u64,
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
            tokens: 0,
            sequences: 0,
            squared_norms: vec![0.0; inputs],
            sums: needs.sums.then(|| vec![0.0; inputs]),
            gram: needs.gram.then(|| Matrix::zeros(inputs, inputs)),
        }
    }

    /// Takes in the rows of `x`, `[tokens, in]`, the tokens of `sequences` sequences.
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn add(&mut self, x: MatrixRef<'_>, sequences: usize) {
        compute::add_squared_column_norms(x, &mut self.squared_norms);
        if let Some(sums) = &mut self.sums {
            compute::add_column_sums(x, sums);
        }
        if let Some(gram) = &mut self.gram {
            compute::add_gram(x, gram);
        }
        self.tokens += x.rows() as u64;
        self.sequences += sequences as u64;
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
