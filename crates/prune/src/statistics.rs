//! What is measured of a site's input.

use compute::{Matrix, MatrixRef};

/// What a method has to know of the inputs of the linears it prunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The weights alone: no calibration data, no forward pass.
    Nothing,
    /// The sum of squares of every input over all tokens.
    SquaredNorms,
    /// The products of all pairs of inputs, summed over all tokens, and the squares.
    Gram,
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
    /// XᵀX, `[in, in]`, of which only the lower triangle holds values; where it is wanted.
    pub gram: Option<Matrix>,
}

impl InputStatistics {
    /// Statistics of no tokens yet, for `inputs` inputs and a method with these `needs`.
    pub fn new(inputs: usize, needs: Needs) -> Self {
        let gram = (needs == Needs::Gram).then(|| Matrix::zeros(inputs, inputs));
        Self { tokens: 0, sequences: 0, squared_norms: vec![0.0; inputs], gram }
    }

    /// Takes in the rows of `x`, `[tokens, in]`, the tokens of `sequences` sequences.
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn add(&mut self, x: MatrixRef<'_>, sequences: usize) {
        compute::add_squared_column_norms(x, &mut self.squared_norms);
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
}
