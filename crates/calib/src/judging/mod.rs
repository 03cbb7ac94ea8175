//! How well a calibration set suits a model: one score per file.
//!
//! To add a score, write its file and add its line to [`SCORES`]. A score looks at what one forward
//! pass shows of the set ([`Exhibit`]), alone or beside that of a yardstick: held-out text that the
//! pruned model is to be good at.

mod coverage;
mod distance;
mod min_k;
mod perplexity;
mod repetition;
mod vocabulary;

use lm::scoring::{self, InputProfile, TokenMoments};
use lm::{Model, Observer};

use crate::{Error, Result, scores::within};

/// Token sequences and what a model makes of them.
#[derive(Clone, Debug)]
pub struct Exhibit {
    /// Token ids.
    pub sequences: Vec<Vec<u32>>,
    /// Rows of the model's embedding: every token id is below it.
    pub vocabulary: usize,
    /// Of every sequence, entry `i` speaks of its token `i + 1`.
    pub tokens: Vec<Vec<TokenMoments>>,
    /// The inputs of the model's layers.
    pub inputs: InputProfile,
}

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The lower.
    Lower,
    /// The higher.
    Higher,
}

/// How a score is found.
#[derive(Clone, Copy)]
pub enum Measure {
    /// Of the set alone.
    Set(fn(&Exhibit) -> f64),
    /// Of the set beside a yardstick.
    Yardstick(fn(&Exhibit, &Exhibit) -> f64),
}

/// A score of calibration sets.
pub trait Score: Sync {
    /// The name users give.
    fn name(&self) -> &'static str;

    /// What it says, in one line.
    fn summary(&self) -> &'static str;

    /// What it does, when to use it, its parameters, cost and reference.
    fn explanation(&self) -> &'static str;

    /// Which values speak for a set.
    fn better(&self) -> Better;

    /// How it is found.
    fn measure(&self) -> Measure;
}

/// Every score, in the order they are listed to users. The first is the one that sets are ordered by
/// unless something else is asked for.
pub const SCORES: &[&dyn Score] = &[
    &distance::InputDistance,
    &min_k::MinK,
    &perplexity::Perplexity,
    &coverage::Coverage,
    &vocabulary::Vocabulary,
    &repetition::Repetition,
];

/// The score called `name`.
///
/// # Errors
/// [`Error::Unknown`] with the names that exist.
pub fn find(name: &str) -> Result<&'static dyn Score> {
    let find = SCORES.iter().copied().find(|score| score.name() == name);
    find.ok_or_else(|| Error::Unknown {
        kind: "score",
        name: name.into(),
        known: SCORES.iter().map(|score| score.name()).collect::<Vec<_>>().join(", "),
    })
}

impl Exhibit {
    /// Shows `sequences` to the model: one forward pass, within `memory` bytes.
    ///
    /// # Errors
    /// When none has two tokens, the model cannot be run or overflows, or the observer cancels.
    pub fn new(
        model: &Model,
        sequences: Vec<Vec<u32>>,
        memory: Option<u64>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        if sequences.iter().all(|sequence| sequence.len() < 2) {
            return Err(Error::Set("no sequence has two tokens, so nothing can be scored".into()));
        }
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let observed =
            within(memory, |options| scoring::observe(model, &borrowed, options, observer))?;
        let vocabulary = model.spec().vocabulary;
        Ok(Self { sequences, vocabulary, tokens: observed.tokens, inputs: observed.inputs })
    }

    /// Whether each token id occurs, `[vocabulary]`.
    fn occurring(&self) -> Vec<bool> {
        let mut occurs = vec![false; self.vocabulary];
        self.sequences.iter().flatten().for_each(|token| occurs[*token as usize] = true);
        occurs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exhibit of these tokens, each of log-probability −1, one deviation below the mean.
    fn exhibit(sequences: &[&[u32]]) -> Exhibit {
        let token = TokenMoments { log_probability: -1.0, mean: -0.5, deviation: 0.5 };
        Exhibit {
            sequences: sequences.iter().map(|tokens| tokens.to_vec()).collect(),
            vocabulary: 100,
            tokens: sequences.iter().map(|tokens| vec![token; tokens.len() - 1]).collect(),
            inputs: InputProfile { tokens: 1, blocks: vec![Vec::new()] },
        }
    }

    fn set_score(name: &str, exhibit: &Exhibit) -> f64 {
        match find(name).unwrap().measure() {
            Measure::Set(measure) => measure(exhibit),
            Measure::Yardstick(_) => panic!("{name} is of the set alone"),
        }
    }

    #[test]
    fn scores_of_the_set_are_those_of_the_definitions() {
        let one = exhibit(&[&[1, 2, 3], &[4, 1]]);
        assert!((set_score("perplexity", &one) - 1f64.exp()).abs() < 1e-12);
        assert!((set_score("min-k", &one) + 1.0).abs() < 1e-12);
        assert_eq!(set_score("vocabulary", &one), 4.0);
        let looping: Vec<u32> = (0..100).map(|position| position % 10).collect();
        let plain: Vec<u32> = (0..100).collect();
        let both = exhibit(&[&looping, &plain]);
        assert!((set_score("repetition", &both) - 0.5 * 83.0 / 93.0).abs() < 1e-12);
    }

    #[test]
    fn coverage_counts_the_tokens_of_the_yardstick() {
        let (set, yardstick) = (exhibit(&[&[1, 2, 3]]), exhibit(&[&[1, 1, 1, 9], &[2, 8]]));
        let Measure::Yardstick(measure) = find("coverage").unwrap().measure() else { panic!() };
        assert!((measure(&set, &yardstick) - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(measure(&yardstick, &yardstick), 1.0);
    }

    #[test]
    fn names_are_unique_and_unknown_ones_are_refused() {
        for score in SCORES {
            assert_eq!(find(score.name()).unwrap().summary(), score.summary());
        }
        let refused = find("beauty").err().unwrap().to_string();
        assert!(refused.contains("input-distance, min-k"), "{refused}");
    }
}
