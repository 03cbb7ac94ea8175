//! Random words of the vocabulary: a control that is text at least.

use compute::{Stream, mix};
use lm::{Observer, Tokenizer};
use rayon::prelude::*;

use super::Source;
use crate::{CalibrationSet, Error, Origin, Provenance, Recipe, Result, Workspace};

/// Keys the draws apart from those of random tokens.
const DRAWS: u64 = 0x0077_6f72_6473;

/// Times a sequence is made longer before its tokens are said to make no text.
const TRIES: u64 = 8;

/// Text of random pieces of the vocabulary.
pub(super) struct RandomText;

impl Source for RandomText {
    fn name(&self) -> &'static str {
        "random-text"
    }

    fn summary(&self) -> &'static str {
        "text of random pieces of the vocabulary, tokenised as text is: a control"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Draws pieces of the vocabulary, all equally often and special tokens left out, writes them one after
  the other, and tokenises that text. Unlike `random`, only token sequences occur that the tokenizer
  makes.

When to use it
  To see what calibration data is worth: a source that prunes no better than this one says nothing of
  the model's language.

Parameters
  samples, length, seed: how many sequences, of how many tokens, with which seed.

Cost
  Tokenising about as many tokens as asked for.

Reference
  Williams and Aletras, On the Impact of Calibration Data in Post-training Quantization and Pruning,
  ACL 2024 (random vocabulary as a control)."
    }

    fn accepts(&self, source: &str) -> bool {
        source == "random-text"
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        _observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        recipe.refuse_documents("random text")?;
        recipe.refuse_synthesis("random text")?;
        recipe.refuse_filters("random text")?;
        let windows = recipe.windows(workspace.model.spec())?;
        let tokenizer = &workspace.model.checkpoint().tokenizer;
        let sequence = |index: usize| {
            let stream = Stream::new(mix(windows.seed ^ DRAWS), index as u64);
            sequence(tokenizer, stream, windows.length)
        };
        let sequences = (0..windows.samples).into_par_iter().map(sequence);
        let origins = (0..windows.samples as u64).map(|stream| Origin::Random { stream });
        let provenance = Provenance {
            notes: vec!["random text is a control, not calibration data to use".into()],
            origins: origins.collect(),
            ..Provenance::of(self.name(), recipe, workspace.model)
        };
        CalibrationSet::new(sequences.collect::<Result<_>>()?, provenance)
    }
}

/// `length` tokens of random text.
fn sequence(tokenizer: &Tokenizer, stream: Stream, length: usize) -> Result<Vec<u32>> {
    let vocabulary = tokenizer.vocabulary() as u64;
    for factor in 1..=TRIES {
        let drawn = 0..2 * factor * length as u64;
        let pieces: Vec<u32> = drawn.map(|at| stream.below(at, vocabulary) as u32).collect();
        let mut tokens = tokenizer.encode(&tokenizer.decode(&pieces, false)?, false)?;
        if tokens.len() >= length {
            tokens.truncate(length);
            return Ok(tokens);
        }
    }
    let problem = "the vocabulary's pieces make no text".to_owned();
    Err(Error::Synthesis { problem })
}
