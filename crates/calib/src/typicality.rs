//! How like its training data a text is to a model.

use lm::scoring::TokenMoments;

/// The share of a text's tokens that is looked at: the paper's k.
pub(crate) const SHARE: f64 = 0.5;

/// Min-K%++: the mean over the `share` of `tokens` where it is lowest, one at least, of
/// `(ln p(x_t) − μ_t) / σ_t` (Zhang et al., ICLR 2025, equation 3); nothing for no tokens.
pub(crate) fn min_k(tokens: &[TokenMoments], share: f64) -> Option<f64> {
    let mut figures: Vec<f64> = tokens.iter().map(TokenMoments::standardised).collect();
    let count = ((figures.len() as f64 * share) as usize).max(1).min(figures.len());
    figures.sort_by(f64::total_cmp);
    figures.truncate(count);
    (count > 0).then(|| figures.iter().sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(figures: &[f64]) -> Vec<TokenMoments> {
        let token = |figure: &f64| TokenMoments {
            log_probability: 2.0 * figure - 3.0,
            mean: -3.0,
            deviation: 2.0,
        };
        figures.iter().map(token).collect()
    }

    #[test]
    fn the_lowest_half_is_averaged() {
        let found = min_k(&tokens(&[1.0, -4.0, 0.5, -2.0, 9.0]), 0.5).unwrap();
        assert!((found + 3.0).abs() < 1e-12, "{found}");
        assert_eq!(min_k(&tokens(&[7.0]), 0.5), Some(7.0));
        assert_eq!(min_k(&[], 0.5), None);
    }
}
