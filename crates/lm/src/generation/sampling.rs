//! From logits to the next token.

use serde::{Deserialize, Serialize};

use crate::numbers::finite_maximum;
use crate::{Error, Result};

/// The vocabulary is read once, in runs of this many logits; of a run whose largest is too small no
/// logit is looked at again.
const RUN: usize = 64;

/// How the next token is drawn from the logits.
///
/// The steps follow each other as in `transformers`: repetition penalty, temperature, top-k, top-p,
/// one draw from what is left. The defaults are those of the calibration-data paper (Ji et al., ICLR
/// 2025).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Divides the logits; `0` always takes the most probable token.
    pub temperature: f32,
    /// Keep this many of the most probable tokens (and those level with the last); `0` keeps all.
    pub top_k: usize,
    /// Keep the smallest set of the most probable tokens whose probabilities reach this sum.
    pub top_p: f32,
    /// Divides positive and multiplies negative logits of every token that is in the sequence
    /// already; `1` leaves them alone.
    pub repetition_penalty: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.6, top_k: 50, top_p: 0.95, repetition_penalty: 1.2 }
    }
}

/// A token that may be drawn, and its logit after penalty and temperature.
type Candidate = (u32, f32);

impl Sampling {
    /// Always the most probable token, nothing penalised.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// When one is outside its range; the error names it.
    pub fn validate(&self) -> Result<()> {
        let finite_from = |value: f32, least: f32| value.is_finite() && value >= least;
        check("temperature", self.temperature, finite_from(self.temperature, 0.0), "0 or more")?;
        let top_p = self.top_p > 0.0 && self.top_p <= 1.0;
        check("top_p", self.top_p, top_p, "above 0 and at most 1")?;
        let penalty = finite_from(self.repetition_penalty, f32::MIN_POSITIVE);
        check("repetition_penalty", self.repetition_penalty, penalty, "above 0")
    }

    /// Draws a token. `logits` (`[vocabulary]`) are changed on the way and given back as they were;
    /// `seen` are the distinct tokens of the sequence so far; `uniform` is a random number in `[0, 1)`.
    ///
    /// # Errors
    /// When a logit is not finite.
    pub(crate) fn draw(&self, logits: &mut [f32], seen: &[u32], uniform: f64) -> Result<u32> {
        if self.repetition_penalty == 1.0 {
            return self.draw_unpenalised(logits, uniform);
        }
        let original: Vec<f32> = seen.iter().map(|&token| logits[token as usize]).collect();
        self.penalise(logits, seen);
        let drawn = self.draw_unpenalised(logits, uniform);
        for (&token, logit) in seen.iter().zip(original) {
            logits[token as usize] = logit;
        }
        drawn
    }

    fn draw_unpenalised(&self, logits: &[f32], uniform: f64) -> Result<u32> {
        let maxima: Vec<f32> = logits.chunks(RUN).map(finite_maximum).collect();
        if maxima.iter().any(|largest| largest.is_nan()) {
            let token = logits.iter().position(|logit| !logit.is_finite()).unwrap_or_default();
            return Err(Error::NotFinite { what: format!("the logit of token {token}") });
        }
        if self.temperature == 0.0 {
            return Ok(first_largest(logits, &maxima));
        }
        let mut candidates = self.largest(logits, &maxima);
        for (_, logit) in &mut candidates {
            *logit /= self.temperature;
        }
        let probabilities = self.nucleus(&mut candidates);
        Ok(candidates[invert(&probabilities, uniform)].0)
    }

    fn penalise(&self, logits: &mut [f32], seen: &[u32]) {
        for &token in seen {
            let logit = &mut logits[token as usize];
            let penalty = self.repetition_penalty;
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }

    /// The tokens that top-k keeps, in the order of the vocabulary; `maxima` are the runs' largest.
    fn largest(&self, logits: &[f32], maxima: &[f32]) -> Vec<Candidate> {
        let all = (0u32..).zip(logits.iter().copied());
        if self.top_k == 0 || self.top_k >= logits.len() {
            return all.collect();
        }
        // The k-th largest of the runs' maxima is no larger than the k-th largest logit.
        let bound = kth_largest(maxima.to_vec(), self.top_k);
        let mut kept = Vec::new();
        for (run, _) in maxima.iter().enumerate().filter(|(_, largest)| **largest >= bound) {
            let tokens = run * RUN..logits.len().min((run + 1) * RUN);
            let run = (tokens.start as u32..).zip(logits[tokens].iter().copied());
            kept.extend(run.filter(|(_, logit)| *logit >= bound));
        }
        let last = kth_largest(kept.iter().map(|(_, logit)| *logit).collect(), self.top_k);
        kept.retain(|(_, logit)| *logit >= last);
        kept
    }

    /// Cuts `candidates` to those that top-p keeps; their probabilities, not normalised again.
    fn nucleus(&self, candidates: &mut Vec<Candidate>) -> Vec<f64> {
        let largest = candidates.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
        let weight = |&(_, logit): &Candidate| f64::from(logit - largest).exp();
        if self.top_p < 1.0 {
            // The sort is stable: of level tokens the first of the vocabulary goes first.
            candidates.sort_by(|left, right| right.1.total_cmp(&left.1));
        }
        let mut weights: Vec<f64> = candidates.iter().map(weight).collect();
        if self.top_p < 1.0 {
            let enough = f64::from(self.top_p) * weights.iter().sum::<f64>();
            let mut sum = 0.0;
            let before = |&weight: &f64| {
                sum += weight;
                sum - weight < enough
            };
            let kept = weights.iter().copied().take_while(before).count().max(1);
            weights.truncate(kept);
            candidates.truncate(kept);
        }
        weights
    }
}

/// The index at which the running sum of `weights` passes `uniform` of their total.
fn invert(weights: &[f64], uniform: f64) -> usize {
    let target = uniform * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let passed = weights.iter().position(|weight| {
        sum += weight;
        sum > target
    });
    passed.unwrap_or(weights.len() - 1)
}

/// The index of the largest logit, the first of equals; `maxima` are the runs' largest.
fn first_largest(logits: &[f32], maxima: &[f32]) -> u32 {
    let largest = maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let run = maxima.iter().position(|maximum| *maximum == largest).unwrap_or_default();
    let first = logits[run * RUN..].iter().position(|logit| *logit == largest).unwrap_or_default();
    (run * RUN + first) as u32
}

/// The `k`-th largest of `values`, minus infinity where there are fewer.
fn kth_largest(mut values: Vec<f32>, k: usize) -> f32 {
    if values.len() < k {
        return f32::NEG_INFINITY;
    }
    *values.select_nth_unstable_by(k - 1, |left, right| right.total_cmp(left)).1
}

fn check(name: &str, value: f32, valid: bool, expected: &str) -> Result<()> {
    if valid {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!("the sampling parameter {name} = {value}"),
        hint: format!("give a number {expected}"),
    })
}

#[cfg(test)]
mod tests {
    use compute::Stream;
    use proptest::prelude::*;

    use super::*;

    /// Probabilities by the definition, full sorts and all.
    fn naive(sampling: &Sampling, logits: &[f32], seen: &[u32]) -> Vec<f64> {
        let penalised = logits.iter().enumerate().map(|(token, &logit)| {
            let penalty =
                if seen.contains(&(token as u32)) { sampling.repetition_penalty } else { 1.0 };
            if logit > 0.0 { logit / penalty } else { logit * penalty }
        });
        let mut logits: Vec<f32> = penalised.map(|logit| logit / sampling.temperature).collect();
        let mut sorted = logits.clone();
        sorted.sort_by(|left, right| right.total_cmp(left));
        if sampling.top_k > 0 {
            let least = sorted[sampling.top_k.min(sorted.len()) - 1];
            for logit in logits.iter_mut().filter(|logit| **logit < least) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let mut probabilities: Vec<f64> =
            logits.iter().map(|&logit| f64::from(logit - sorted[0]).exp()).collect();
        let total: f64 = probabilities.iter().sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&left, &right| logits[right].total_cmp(&logits[left]));
        let mut sum = 0.0;
        for &token in &order {
            let before = sum;
            sum += probabilities[token];
            if before >= f64::from(sampling.top_p) * total && sampling.top_p < 1.0 {
                probabilities[token] = 0.0;
            }
        }
        let total: f64 = probabilities.iter().sum();
        probabilities.iter().map(|probability| probability / total).collect()
    }

    fn logits(seed: u64, count: usize, steps: f64) -> Vec<f32> {
        let stream = Stream::new(seed, 0);
        (0..count as u64)
            .map(|i| ((stream.uniform(i) * steps).floor() / 8.0 - 3.0) as f32)
            .collect()
    }

    /// The probabilities with which `draw` returns each token, from evenly spaced draws.
    fn frequencies(sampling: &Sampling, logits: &[f32], seen: &[u32]) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        for step in 0..2000 {
            let uniform = (f64::from(step) + 0.5) / 2000.0;
            let token = sampling.draw(&mut logits.to_vec(), seen, uniform).unwrap();
            counts[token as usize] += 1.0 / 2000.0;
        }
        counts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn draws_have_the_probabilities_of_the_definition(
            seed in 0u64..1000,
            count in 1usize..300,
            steps in 1.0f64..90.0,
            temperature in 0.3f32..2.0,
            top_k in 0usize..80,
            top_p in 0.05f32..1.0,
            repetition_penalty in 0.7f32..1.6,
        ) {
            let sampling = Sampling { temperature, top_k, top_p, repetition_penalty };
            let logits = logits(seed, count, steps);
            let seen: Vec<u32> = (0..count as u32).filter(|token| token % 3 == 0).collect();
            let expected = naive(&sampling, &logits, &seen);
            let found = frequencies(&sampling, &logits, &seen);
            for (token, (expected, found)) in expected.iter().zip(&found).enumerate() {
                prop_assert!((expected - found).abs() < 2e-3, "{token}: {expected} {found}");
            }
        }
    }

    #[test]
    fn draws_have_the_probabilities_of_transformers() {
        let bytes = include_bytes!("../../tests/goldens/forward/sampling.safetensors");
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let rows = |name: &str| {
            let view = file.tensor(name).unwrap();
            let width = view.shape()[1];
            let words: Vec<_> = view.data().as_chunks::<4>().0.to_vec();
            words.chunks(width).map(<[_]>::to_vec).collect::<Vec<_>>()
        };
        let floats =
            |row: &[[u8; 4]]| row.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>();
        let cases = rows("parameters").len();
        for case in 0..cases {
            let [temperature, top_k, top_p, repetition_penalty] =
                floats(&rows("parameters")[case])[..]
            else {
                panic!("four parameters")
            };
            let top_k = top_k as usize;
            let sampling = Sampling { temperature, top_k, top_p, repetition_penalty };
            let mut seen: Vec<_> =
                rows("seen")[case].iter().map(|b| u32::from_le_bytes(*b)).collect();
            seen.sort_unstable();
            seen.dedup();
            let found = frequencies(&sampling, &floats(&rows("logits")[case]), &seen);
            let expected = floats(&rows("probabilities")[case]);
            for (token, (expected, found)) in expected.iter().zip(&found).enumerate() {
                let difference = (f64::from(*expected) - found).abs();
                assert!(difference < 1e-3, "case {case}, {token}: {expected} {found}");
            }
        }
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        let mut logits = vec![1.0, 3.0, -1.0, 3.0];
        assert_eq!(Sampling::greedy().draw(&mut logits, &[1], 0.9).unwrap(), 1);
        let penalised = Sampling { repetition_penalty: 1.5, ..Sampling::greedy() };
        assert_eq!(penalised.draw(&mut logits, &[1], 0.9).unwrap(), 3);
        assert_eq!(logits, [1.0, 3.0, -1.0, 3.0], "given back as they were");
        let mut far = vec![-2.0; 300];
        (far[131], far[132], far[299]) = (0.5, 0.5, 0.5);
        assert_eq!(Sampling::greedy().draw(&mut far, &[], 0.9).unwrap(), 131);
    }

    #[test]
    fn a_logit_that_is_no_number_is_named() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 1, 63, 64, 130] {
                let mut logits = vec![1.0; 131];
                logits[place] = wrong;
                let error = Sampling::default().draw(&mut logits, &[3], 0.0).unwrap_err();
                assert!(error.to_string().contains(&format!("token {place}")), "{error}");
            }
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let default = Sampling::default;
        for (sampling, name) in [
            (Sampling { temperature: -1.0, ..default() }, "temperature"),
            (Sampling { temperature: f32::NAN, ..default() }, "temperature"),
            (Sampling { top_p: 0.0, ..default() }, "top_p"),
            (Sampling { top_p: 1.1, ..default() }, "top_p"),
            (Sampling { repetition_penalty: 0.0, ..default() }, "repetition_penalty"),
        ] {
            let error = sampling.validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        default().validate().unwrap();
    }

    #[test]
    fn a_misspelt_parameter_is_an_error() {
        let parsed = serde_json::from_str::<Sampling>(r#"{"temprature": 1.0}"#);
        assert!(parsed.unwrap_err().to_string().contains("temprature"));
        assert_eq!(serde_json::from_str::<Sampling>("{}").unwrap(), Sampling::default());
    }
}
