//! Long-context changes of the rotary frequencies, as a `rope_scaling` object.

use serde_json::{Value, json};

use super::metadata::Metadata;
use crate::{Error, Result, RopeScaling};

/// How far a factor may be from the one a rule gives, relative to it: factors are computed and
/// stored in single precision.
const TOLERANCE: f64 = 1e-4;

/// `low_freq_factor`, `high_freq_factor` and `original_max_position_embeddings` of the published
/// models (Llama 3.1, 3.2 and 3.3 share one set).
const KNOWN: &[(f64, f64, f64)] = &[(1.0, 4.0, 8192.0)];

/// The rotary embedding a file describes.
pub(super) struct Frequencies<'a> {
    pub(super) theta: f64,
    pub(super) head_dim: usize,
    /// The values of `rope_freqs.weight`, where the file has it.
    pub(super) factors: Option<&'a [f32]>,
}

/// The scaling in the words of config.json, where there is one.
pub(super) fn scaling(
    metadata: &Metadata<'_>,
    frequencies: &Frequencies<'_>,
) -> Result<Option<Value>> {
    let linear = linear(metadata)?;
    let llama3 = frequencies.factors.map(|factors| llama3(frequencies, factors)).transpose()?;
    match (linear, llama3.flatten()) {
        (Some(_), Some(_)) => Err(metadata.problem(
            "llama.rope.scaling.factor",
            "given beside rope_freqs.weight; one of the two rules expected",
        )),
        (linear, llama3) => Ok(linear.or(llama3)),
    }
}

/// Positions divided by a factor, from the metadata.
fn linear(metadata: &Metadata<'_>) -> Result<Option<Value>> {
    const KIND: &str = "llama.rope.scaling.type";
    let key = ["llama.rope.scaling.factor", "llama.rope.scale_linear"]
        .into_iter()
        .find(|key| metadata.has(key));
    let factor = key.map_or(Ok(None), |key| metadata.number(key))?;
    match metadata.text(KIND)?.unwrap_or("linear") {
        "none" => Ok(None),
        "linear" => match factor {
            // Converters write 0 or 1 for no scaling.
            None | Some(0.0 | 1.0) => Ok(None),
            Some(factor) if factor > 0.0 => Ok(Some(json!({
                "rope_type": "linear", "type": "linear", "factor": factor,
            }))),
            Some(factor) => {
                let problem = format!("{factor} found, a number above 0 expected");
                Err(metadata.problem(key.unwrap_or(KIND), problem))
            }
        },
        other => Err(Error::Unsupported {
            what: format!("metadata {KIND}: the rope scaling {other:?}"),
            hint: "known: none, linear, and the llama3 rule (as rope_freqs.weight)".into(),
        }),
    }
}

/// Finds the llama3 rule that gives `factors`; `None` where they change nothing.
fn llama3(frequencies: &Frequencies<'_>, factors: &[f32]) -> Result<Option<Value>> {
    let pairs = frequencies.head_dim / 2;
    if factors.len() != pairs {
        let problem = format!("{pairs} values expected (half a head), {} found", factors.len());
        return Err(Error::tensor("rope_freqs.weight", problem));
    }
    if factors.iter().all(|factor| *factor == 1.0) {
        return Ok(None);
    }
    // The lowest frequencies are divided by the whole factor.
    let factor = f64::from(factors.iter().copied().fold(0.0, f32::max));
    let rule = KNOWN.iter().find(|(low, high, original)| {
        let rule = RopeScaling::Llama3 {
            factor,
            low_frequency_factor: *low,
            high_frequency_factor: *high,
            original_context: *original,
        };
        reproduces(&rule, frequencies, factors)
    });
    let Some((low, high, original)) = rule else { return Err(unknown(factor)) };
    Ok(Some(json!({
        "rope_type": "llama3",
        "type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": *original as u64,
    })))
}

/// Whether `rule` divides every frequency as `factors` say.
fn reproduces(rule: &RopeScaling, frequencies: &Frequencies<'_>, factors: &[f32]) -> bool {
    factors.iter().enumerate().all(|(pair, factor)| {
        let exponent = (2 * pair) as f64 / frequencies.head_dim as f64;
        let frequency = frequencies.theta.powf(-exponent);
        let expected = frequency / rule.scale(frequency);
        (f64::from(*factor) - expected).abs() <= TOLERANCE * expected
    })
}

fn unknown(factor: f64) -> Error {
    let known: Vec<_> = KNOWN
        .iter()
        .map(|(low, high, original)| format!("low {low}, high {high}, original context {original}"))
        .collect();
    Error::Unsupported {
        what: format!("tensor rope_freqs.weight: factors up to {factor} of an unknown rule"),
        hint: format!(
            "the llama3 rule is read with {}; prune the original checkpoint, whose config.json \
             states its rule",
            known.join("; or ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(low: f64, factor: f64) -> Vec<f32> {
        let rule = RopeScaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: 4.0,
            original_context: 8192.0,
        };
        let frequency = |pair: usize| 500_000f64.powf(-(2.0 * pair as f64) / 64.0);
        (0..32).map(|pair| (frequency(pair) / rule.scale(frequency(pair))) as f32).collect()
    }

    fn found(factors: &[f32]) -> Result<Option<Value>> {
        llama3(&Frequencies { theta: 500_000.0, head_dim: 64, factors: None }, factors)
    }

    #[test]
    fn the_published_rules_are_recognised() {
        for factor in [8.0, 32.0] {
            let rule = found(&factors(1.0, factor)).unwrap().unwrap();
            assert_eq!(rule["factor"], factor);
            assert_eq!(rule["original_max_position_embeddings"], 8192);
        }
        assert_eq!(found(&[1.0; 32]).unwrap(), None);
    }

    #[test]
    fn factors_of_no_known_rule_are_refused() {
        let mut wrong = factors(1.0, 8.0);
        wrong[20] *= 1.01;
        assert!(found(&wrong).unwrap_err().to_string().contains("rope_freqs.weight"));
        assert!(found(&factors(2.0, 8.0)).is_err());
        assert!(found(&[f32::NAN; 32]).is_err());
        assert!(found(&[8.0; 31]).unwrap_err().to_string().contains("32 values expected"));
    }
}
