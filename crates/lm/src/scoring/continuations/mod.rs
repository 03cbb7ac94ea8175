//! Continuations of contexts: what begins alike runs once.

mod forest;
mod positions;
mod run;

use super::{Options, source::Source};
use crate::{Model, Observer, Result};
use forest::{Forest, groups, sorted};

/// A sequence whose end is scored.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The context and its continuation.
    pub tokens: &'a [u32],
    /// Tokens of the continuation, fewer than there are tokens: the first of all has nothing before
    /// it that it could be predicted from.
    pub scored: usize,
}

impl<'a> Request<'a> {
    /// The tokens that run: the last predicts nothing that is scored.
    fn input(&self) -> &'a [u32] {
        &self.tokens[..self.tokens.len() - 1]
    }
}

/// How probable a continuation is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Continuation {
    /// Sum of the natural logarithms of the probabilities of its tokens, each given all before it.
    pub log_likelihood: f64,
    /// Whether each of its tokens is a most probable one.
    pub greedy: bool,
}

/// How probable every request's continuation is, in order; a continuation of no tokens has a
/// probability of one.
///
/// A beginning that requests share runs once, and only the positions that predict a scored token go
/// through the head. The figures are those of [`super::token_log_probabilities`], bit by bit.
///
/// # Panics
/// When a request scores as many tokens as it has, or more.
///
/// # Errors
/// As [`super::log_likelihoods`].
pub fn continuations(
    model: &Model,
    requests: &[Request<'_>],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Vec<Continuation>> {
    for request in requests {
        assert!(request.scored == 0 || request.scored < request.tokens.len(), "nothing before it");
    }
    let order = sorted(requests);
    let longest = order.iter().map(|&index| requests[index].input().len()).max().unwrap_or(0);
    let capacity = run::capacity(model, longest, options)?;
    let groups = groups(requests, &order, capacity);
    let forests = || groups.iter().map(|group| Forest::new(requests, &order[group.clone()]));
    let tokens: usize = forests().map(|forest| forest.tokens()).sum();
    observer.started("scoring", (tokens * model.spec().blocks.len()) as u64);
    let source = Source::open(model, options, observer)?;
    let mut results = vec![Continuation { log_likelihood: 0.0, greedy: true }; requests.len()];
    for forest in forests() {
        let states = run::blocks(model, &source, &forest, observer)?;
        positions::score(model, &source, (&forest, &states), requests, &mut results, observer)?;
    }
    observer.finished();
    Ok(results)
}
