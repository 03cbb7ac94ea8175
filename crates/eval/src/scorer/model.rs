//! A model that answers.

use lm::scoring::{self, Options, Request};
use lm::{Model, Observer};
use rayon::prelude::*;

use super::pair::{Pair, PairEncoder};
use super::{Answer, Likelihood, Scorer};
use crate::tasks::Query;
use crate::{Error, Result};

/// A model as a scorer.
pub struct ModelScorer<'a> {
    /// The model.
    pub model: &'a Model,
    /// How it is run.
    pub options: &'a Options,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

impl Scorer for ModelScorer<'_> {
    fn score(&self, queries: &[&Query]) -> Result<Vec<Answer>> {
        let encoder =
            PairEncoder::new(&self.model.checkpoint().tokenizer, self.model.spec().context)?;
        let pairs = queries.par_iter().map(|query| pairs(&encoder, query));
        let pairs: Vec<Vec<Pair>> = pairs.collect::<Result<_>>()?;
        let requests: Vec<Request<'_>> = pairs.iter().flatten().map(Pair::request).collect();
        let found = scoring::continuations(self.model, &requests, self.options, self.observer)?;
        let mut found = found.into_iter();
        let answer = |pairs: Vec<Pair>| Answer {
            truncated: pairs.iter().filter(|pair| pair.truncated).count(),
            choices: found.by_ref().take(pairs.len()).map(Likelihood::from).collect(),
        };
        Ok(pairs.into_iter().map(answer).collect())
    }
}

impl Pair {
    fn request(&self) -> Request<'_> {
        Request { tokens: &self.tokens, scored: self.scored }
    }
}

impl From<scoring::Continuation> for Likelihood {
    fn from(found: scoring::Continuation) -> Self {
        Self { log_likelihood: found.log_likelihood, greedy: found.greedy }
    }
}

fn pairs(encoder: &PairEncoder<'_>, query: &Query) -> Result<Vec<Pair>> {
    let texts = query.contexts.iter().zip(&query.continuations);
    let pair = |(context, continuation): (&String, &String)| {
        encoder.pair(context, continuation)?.map_err(|problem| Error::at(&query.place, problem))
    };
    texts.map(pair).collect()
}
