//! How probable a model finds token sequences.

use lm::scoring::{self, Options, Score};
use lm::{Model, Observer};

use crate::{Result, synthesis::Text};

/// The perplexity; infinite where nothing was scored.
pub(crate) fn perplexity(score: Score) -> f64 {
    if score.tokens == 0 { f64::INFINITY } else { score.perplexity() }
}

/// The log-probability of every sequence, within `memory` bytes.
pub(crate) fn scores(
    model: &Model,
    sequences: &[&[u32]],
    memory: Option<u64>,
    observer: &dyn Observer,
) -> Result<Vec<Score>> {
    within(memory, |options| scoring::log_likelihoods(model, sequences, options, observer))
}

/// The log-probability of what was written of every text, given all that is before it, within `memory`
/// bytes.
pub(crate) fn written(
    model: &Model,
    texts: &[&Text],
    memory: Option<u64>,
    observer: &dyn Observer,
) -> Result<Vec<Score>> {
    let sequences: Vec<&[u32]> = texts.iter().map(|text| &text.tokens[..]).collect();
    let tokens = within(memory, |options| {
        scoring::token_log_probabilities(model, &sequences, options, observer)
    })?;
    let score = |(text, scored): (&&Text, &Vec<f64>)| {
        // The first token of a text has no score.
        let given = (text.lead + text.prefix).saturating_sub(1);
        let scored = scored.get(given..).unwrap_or_default();
        Score { sum: scored.iter().sum(), tokens: scored.len() }
    };
    Ok(texts.iter().zip(&tokens).map(score).collect())
}

/// What `score` gives with all blocks loaded, or block by block where they do not fit `memory` bytes:
/// the figures are the same either way.
pub(crate) fn within<T>(
    memory: Option<u64>,
    score: impl Fn(&Options) -> lm::Result<T>,
) -> Result<T> {
    match score(&Options { streamed: false, memory }) {
        Err(lm::Error::Memory { .. }) => Ok(score(&Options { streamed: true, memory })?),
        scored => Ok(scored?),
    }
}

#[cfg(test)]
mod tests {
    use lm::{Checkpoint, Silent};
    use testkit::{TinyOptions, tiny_llama};

    use super::*;
    use crate::synthesis::{Request, SynthesisSettings, find};

    #[test]
    fn texts_are_scored_as_they_are_when_the_model_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        tiny_llama(folder.path(), &TinyOptions::default());
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let model = Model::new(checkpoint, compute::Precision::F32).unwrap();
        let settings = SynthesisSettings::default();
        for strategy in ["prefix", "greedy-start"] {
            let synthesis = find(strategy).unwrap();
            let request = Request {
                model: &model,
                settings: &settings,
                sampling: synthesis.sampling(),
                prefixes: None,
                server: None,
                streams: &[0, 1, 2, 3, 4],
                length: 40,
                seed: 3,
                memory: None,
            };
            let mut texts: Vec<Text> = Vec::new();
            let mut sink = |text| {
                texts.push(text);
                Ok(())
            };
            synthesis.write(&request, &mut sink, &Silent).unwrap();
            let all: Vec<&Text> = texts.iter().collect();
            for (text, score) in all.iter().zip(written(&model, &all, None, &Silent).unwrap()) {
                assert_eq!(score.tokens, text.score.tokens, "{strategy}");
                assert!((score.sum - text.score.sum).abs() < 1e-3, "{score:?} {:?}", text.score);
            }
        }
    }

    #[test]
    fn of_a_text_that_was_not_written_nothing_is_scored() {
        let folder = tempfile::tempdir().unwrap();
        tiny_llama(folder.path(), &TinyOptions::default());
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let model = Model::new(checkpoint, compute::Precision::F32).unwrap();
        let text = |tokens: Vec<u32>, lead| {
            let score = Score::default();
            Text { stream: 0, lead, prefix: 0, ended: false, tokens, score }
        };
        for text in [text(vec![], 0), text(vec![7], 0), text(vec![7, 8], 2)] {
            let scores = written(&model, &[&text], None, &Silent).unwrap();
            assert_eq!(scores, [Score::default()], "{text:?}");
        }
    }
}
