//! What is measured of a site's input.

use compute::MatrixRef;

/// What a method has to know of the inputs of the linears it prunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The weights alone: no calibration data, no forward pass.
    Nothing,
    /// The sum of squares of every input over all tokens.
    SquaredNorms,
}

/// Statistics of the inputs of one site over all calibration tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct InputStatistics {
    /// Tokens seen.
    pub tokens: u64,
    /// Σ x_j² over the tokens, `[in]`.
    pub squared_norms: Vec<f64>,
}

impl InputStatistics {
    /// Statistics of no tokens yet, for `inputs` inputs.
    pub fn new(inputs: usize) -> Self {
        Self { tokens: 0, squared_norms: vec![0.0; inputs] }
    }

    /// Takes in the rows of `x`, `[tokens, in]`.
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn add(&mut self, x: MatrixRef<'_>) {
        compute::add_squared_column_norms(x, &mut self.squared_norms);
        self.tokens += x.rows() as u64;
    }

    /// The first input that was not finite on some token.
    pub fn first_non_finite(&self) -> Option<usize> {
        self.squared_norms.iter().position(|norm| !norm.is_finite())
    }
}
