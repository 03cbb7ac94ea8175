//! The positions that predict a scored token, through the head.

use compute::{LogProbability, Matrix};

use super::super::chunks::SCORED_ROWS;
use super::super::source::Source;
use super::run::States;
use super::{Continuation, Forest, Request};
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
        for some in positions.chunks(SCORED_ROWS) {
            observer.check()?;
            let rows = some.iter().flat_map(|asked| states.row(asked[0].at));
            let rows = Matrix::from_vec(some.len(), model.spec().hidden, rows.copied().collect());
            let asked = || {
                some.iter()
                    .enumerate()
                    .flat_map(|(row, asked)| asked.iter().map(move |it| (row, it)))
            };
            let wanted: Vec<_> =
                asked().map(|(row, target)| (row, target.token as usize)).collect();
            let of = |((_, &target), found): ((usize, &Target), LogProbability)| Found {
                target,
                log_probability: found.value,
                greedy: found.is_largest,
            };
            found.extend(asked().zip(head.log_probabilities(rows.view(), &wanted)).map(of));
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
