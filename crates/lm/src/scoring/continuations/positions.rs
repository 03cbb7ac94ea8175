//! The positions that predict a scored token, through the head.

use compute::{Matrix, log_sum_exp};
use rayon::prelude::*;

use super::super::chunks::logit_rows;
use super::super::source::Source;
use super::run::States;
use super::{Continuation, Forest, Request};
use crate::numbers::maximum;
use crate::{Model, Observer, Result};

/// A token whose probability is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    /// Where it is predicted: a chunk and a row of it.
    at: (usize, usize),
    request: usize,
    /// Its place in the request's continuation.
    place: usize,
    token: u32,
}

/// What was found of a target.
struct Found {
    target: Target,
    log_probability: f64,
    greedy: bool,
}

/// Sends the positions that are asked for through the head, each once, and adds up what it says of
/// each request.
pub(super) fn score(
    model: &Model,
    source: &Source,
    (forest, states): (&Forest<'_>, &States),
    requests: &[Request<'_>],
    results: &mut [Continuation],
    observer: &dyn Observer,
) -> Result<()> {
    let targets = targets(forest, states, requests);
    let positions: Vec<&[Target]> = targets.chunk_by(|a, b| a.at == b.at).collect();
    let mut found: Vec<Found> = Vec::with_capacity(targets.len());
    source.with_head(model, |head| {
        for some in positions.chunks(logit_rows(head.vocabulary())) {
            observer.check()?;
            let rows = some.iter().flat_map(|asked| states.row(asked[0].at));
            let rows = Matrix::from_vec(some.len(), model.spec().hidden, rows.copied().collect());
            let logits = head.logits(rows.view());
            let rows = some.par_iter().enumerate();
            found.par_extend(rows.flat_map_iter(|(row, asked)| measure(logits.row(row), asked)));
            logits.recycle();
        }
        Ok(())
    })?;
    // sums in the order of the tokens
    found.sort_unstable_by_key(|found| (found.target.request, found.target.place));
    for Found { target, log_probability, greedy } in found {
        results[target.request].log_likelihood += log_probability;
        results[target.request].greedy &= greedy;
    }
    Ok(())
}

/// Every token of a continuation, those that one position predicts side by side.
fn targets(forest: &Forest<'_>, states: &States, requests: &[Request<'_>]) -> Vec<Target> {
    let places = states.places(forest.segments.len());
    let mut targets = Vec::new();
    for &(request, end) in &forest.ends {
        let Request { tokens, scored } = requests[request];
        let mut segment = end;
        for place in (0..scored).rev() {
            let position = tokens.len() - scored + place - 1;
            while forest.segments[segment].start > position {
                segment = forest.segments[segment].parent.expect("a root starts at 0");
            }
            let (chunk, first) = places[segment];
            let at = (chunk, first + position - forest.segments[segment].start);
            targets.push(Target { at, request, place, token: tokens[position + 1] });
        }
    }
    targets.sort_unstable();
    targets
}

/// The log-probability of every target of one row of logits, and whether it is a largest one.
fn measure(logits: &[f32], asked: &[Target]) -> Vec<Found> {
    let (total, largest) = (log_sum_exp(logits), maximum(logits));
    let of = |&target: &Target| {
        let logit = logits[target.token as usize];
        let log_probability = f64::from(logit) - total;
        Found { target, log_probability, greedy: logit == largest }
    };
    asked.iter().map(of).collect()
}
