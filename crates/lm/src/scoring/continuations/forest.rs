//! Sequences that begin alike, as a forest in which what they share stands once.

use std::ops::Range;

use super::Request;

/// Tokens a shared beginning must have to be worth its copies of keys and values.
const LEAST_SHARED: usize = 8;

/// Segments that may stand one above the other, so that every level is a batch of some size.
const MOST_LEVELS: usize = 4;

/// A run of tokens that goes on where its parent ends.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    /// The segment before it, an earlier one; nothing at the start of a sequence.
    pub(super) parent: Option<usize>,
    /// Its distance from the root.
    pub(super) level: usize,
    /// Position of its first token in the sequence.
    pub(super) start: usize,
    /// Its tokens, at least one.
    pub(super) tokens: &'a [u32],
    /// Whether other segments go on from it.
    pub(super) has_children: bool,
}

/// The inputs of some requests: every path from a root is the input of one or more of them.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    /// Parents stand before their children.
    pub(super) segments: Vec<Segment<'a>>,
    /// The last segment of every request of the forest.
    pub(super) ends: Vec<(usize, usize)>,
}

/// Requests that are still to be placed: those of `range` share their first `depth` tokens with the
/// path that ends at `parent`.
struct Open {
    range: Range<usize>,
    depth: usize,
    parent: Option<usize>,
}

/// The requests that have something to score, those that begin alike side by side.
pub(super) fn sorted(requests: &[Request<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..requests.len()).filter(|&i| requests[i].scored > 0).collect();
    order.sort_by(|&a, &b| requests[a].input().cmp(requests[b].input()).then(a.cmp(&b)));
    order
}

/// Consecutive requests of `order` whose inputs take at most `capacity` tokens, shared beginnings
/// counted once; at least one request each.
pub(super) fn groups(
    requests: &[Request<'_>],
    order: &[usize],
    capacity: usize,
) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (at, &index) in order.iter().enumerate() {
        let input = requests[index].input();
        let before = at.checked_sub(1).map_or(&[][..], |before| requests[order[before]].input());
        let new = input.len() - shared(before, input);
        match groups.last_mut() {
            Some(group) if held + new <= capacity => {
                group.end = at + 1;
                held += new;
            }
            _ => {
                groups.push(at..at + 1);
                held = input.len();
            }
        }
    }
    groups
}

impl<'a> Forest<'a> {
    /// The forest of `order`, indices of requests as [`sorted`] gives them.
    pub(super) fn new(requests: &[Request<'a>], order: &[usize]) -> Self {
        let mut forest = Self { segments: Vec::new(), ends: Vec::new() };
        let mut open = vec![Open { range: 0..order.len(), depth: 0, parent: None }];
        while let Some(next) = open.pop() {
            forest.place(requests, order, next, &mut open);
        }
        forest
    }

    /// Tokens of all segments.
    pub(super) fn tokens(&self) -> usize {
        self.segments.iter().map(|segment| segment.tokens.len()).sum()
    }

    /// Places the beginning that all of `next` share, and leaves the rest open.
    fn place(
        &mut self,
        requests: &[Request<'a>],
        order: &[usize],
        next: Open,
        open: &mut Vec<Open>,
    ) {
        let input = |at: usize| requests[order[at]].input();
        let Open { range, depth, mut parent } = next;
        if range.is_empty() {
            return;
        }
        // the inputs are sorted: what the first and the last share is shared by all
        let common = shared(input(range.start), input(range.end - 1));
        let level = parent.map_or(0, |parent| self.segments[parent].level + 1);
        let all_alike = input(range.end - 1).len() == common;
        let worth_it = common - depth >= LEAST_SHARED && level + 1 < MOST_LEVELS;
        let mut from = depth;
        if common > depth && (all_alike || worth_it) {
            parent = Some(self.push(parent, depth, &input(range.start)[depth..common]));
            from = common;
        }
        let ended = range.clone().take_while(|&at| input(at).len() == common).count();
        let (ending, rest) = (range.start..range.start + ended, range.start + ended..range.end);
        self.end(order, ending, input(range.start), (from, common), parent);
        let mut start = rest.start;
        while start < rest.end {
            let token = input(start)[common];
            let alike = (start..rest.end).take_while(|&at| input(at)[common] == token).count();
            open.push(Open { range: start..start + alike, depth: from, parent });
            start += alike;
        }
    }

    /// Notes where the requests of `range` end, whose input is the first `common` tokens.
    fn end(
        &mut self,
        order: &[usize],
        range: Range<usize>,
        input: &'a [u32],
        (from, common): (usize, usize),
        mut parent: Option<usize>,
    ) {
        if !range.is_empty() && from < common {
            parent = Some(self.push(parent, from, &input[from..common]));
        }
        let end = |at: usize| (order[at], parent.expect("an input has a token"));
        self.ends.extend(range.map(end));
    }

    fn push(&mut self, parent: Option<usize>, start: usize, tokens: &'a [u32]) -> usize {
        if let Some(parent) = parent {
            self.segments[parent].has_children = true;
        }
        let level = parent.map_or(0, |parent| self.segments[parent].level + 1);
        self.segments.push(Segment { parent, level, start, tokens, has_children: false });
        self.segments.len() - 1
    }
}

/// Tokens that both begin with.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests(inputs: &[Vec<u32>]) -> Vec<Request<'_>> {
        inputs.iter().map(|tokens| Request { tokens, scored: 1 }).collect()
    }

    /// The input that the path to segment `end` spells.
    fn path(forest: &Forest<'_>, end: usize) -> Vec<u32> {
        let segment = &forest.segments[end];
        let mut tokens = segment.parent.map_or(Vec::new(), |parent| path(forest, parent));
        assert_eq!(tokens.len(), segment.start);
        tokens.extend(segment.tokens);
        tokens
    }

    fn of(inputs: &[Vec<u32>]) -> (usize, usize) {
        let requests = requests(inputs);
        let order = sorted(&requests);
        let forest = Forest::new(&requests, &order);
        for &(request, end) in &forest.ends {
            assert_eq!(path(&forest, end), requests[request].input());
        }
        assert_eq!(forest.ends.len(), requests.len());
        (forest.segments.len(), forest.tokens())
    }

    fn joined(parts: &[&[u32]]) -> Vec<u32> {
        parts.concat()
    }

    #[test]
    fn the_context_of_a_question_stands_once() {
        let context: Vec<u32> = (0..20).collect();
        let choices: Vec<_> = (0..4).map(|c| joined(&[&context, &[50 + c, 60, 61]])).collect();
        assert_eq!(of(&choices), (5, 20 + 4 * 2));
        // single-token choices: the input is the context alone
        let single: Vec<_> = (0..4).map(|c| joined(&[&context, &[50 + c]])).collect();
        assert_eq!(of(&single), (1, 20));
    }

    #[test]
    fn headers_and_contexts_are_shared_on_two_levels() {
        let header = vec![7; 30];
        let question = |q: u32| vec![q; 12];
        let input = |q: u32, c: u32| joined(&[&header, &question(q), &[90 + c, 1, 2]]);
        let inputs: Vec<_> = (0..3).flat_map(|q| (0..4).map(move |c| input(q, c))).collect();
        assert_eq!(of(&inputs), (1 + 3 + 12, 30 + 3 * 12 + 12 * 2));
    }

    #[test]
    fn a_beginning_of_a_few_tokens_is_not_worth_sharing() {
        assert_eq!(of(&[vec![1, 2, 3, 9], vec![1, 2, 4, 9]]), (2, 6));
    }

    #[test]
    fn an_input_that_another_goes_on_from_ends_within_it() {
        let long: Vec<u32> = (0..30).collect();
        assert_eq!(of(&[long[..21].to_vec(), long.clone()]), (2, 29));
    }

    #[test]
    fn groups_count_what_is_shared_once_and_again_in_the_next() {
        let context: Vec<u32> = (0..20).collect();
        let inputs: Vec<_> = (0..4).map(|c| joined(&[&context, &[50 + c, 60, 61]])).collect();
        let requests = requests(&inputs);
        let order = sorted(&requests);
        assert_eq!(groups(&requests, &order, 28), vec![0..4]);
        assert_eq!(groups(&requests, &order, 24), [0..2, 2..4]);
        assert_eq!(groups(&requests, &order, 1), [0..1, 1..2, 2..3, 3..4]);
    }

    proptest! {
        #[test]
        fn every_path_spells_its_input(
            inputs in prop::collection::vec(prop::collection::vec(0u32..2, 2..40), 1..30)
        ) {
            let (_, tokens) = of(&inputs);
            prop_assert!(tokens <= inputs.iter().map(|input| input.len() - 1).sum());
        }
    }
}
