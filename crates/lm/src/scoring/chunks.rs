//! Sequences that run together, and their scores.

use std::ops::Range;

use compute::{Matrix, log_sum_exp};
use rayon::prelude::*;

use crate::{Observer, OutputHead, Result};

/// Tokens that run through a block at a time: enough to keep every core busy.
pub(super) const CHUNK_TOKENS: usize = 2048;

/// Rows that go through the head at a time where their logits are not kept.
pub(super) const SCORED_ROWS: usize = 2048;

/// Bytes of the logits made at a time, where they are.
const LOGIT_BYTES: usize = 32 << 20;

/// Sequences that run together.
pub(super) struct Chunk<'a> {
    /// Indices of the sequences, and their tokens.
    sequences: Vec<(usize, &'a [u32])>,
}

impl Chunk<'_> {
    /// Tokens that run: the last of a sequence predicts nothing that is scored.
    pub(super) fn tokens(&self) -> usize {
        self.sequences.iter().map(|(_, tokens)| tokens.len() - 1).sum()
    }

    /// The places of its sequences among all.
    pub(super) fn indices(&self) -> Vec<usize> {
        self.sequences.iter().map(|(index, _)| *index).collect()
    }

    pub(super) fn lengths(&self) -> Vec<usize> {
        self.sequences.iter().map(|(_, tokens)| tokens.len() - 1).collect()
    }

    pub(super) fn inputs(&self) -> Vec<u32> {
        let inputs = self.sequences.iter().flat_map(|(_, tokens)| &tokens[..tokens.len() - 1]);
        inputs.copied().collect()
    }

    /// The sequence and the target of every row.
    fn targets(&self) -> Vec<(usize, u32)> {
        let of = |&(index, tokens): &(usize, &[u32])| {
            tokens[1..].iter().map(|&token| (index, token)).collect::<Vec<_>>()
        };
        self.sequences.iter().flat_map(of).collect()
    }

    /// Adds the log-probability of every target to its sequence's results, [`SCORED_ROWS`] at a time.
    pub(super) fn score(
        &self,
        head: &OutputHead,
        state: &Matrix,
        results: &mut [Vec<f64>],
        observer: &dyn Observer,
    ) -> Result<()> {
        let targets = self.targets();
        for (part, targets) in targets.chunks(SCORED_ROWS).enumerate() {
            observer.check()?;
            let rows = state.view_rows(part * SCORED_ROWS..part * SCORED_ROWS + targets.len());
            let tokens = targets.iter().enumerate().map(|(row, &(_, token))| (row, token as usize));
            let found = head.log_probabilities(rows, &tokens.collect::<Vec<_>>());
            for (&(sequence, _), found) in targets.iter().zip(found) {
                results[sequence].push(found.value);
            }
            observer.advanced(targets.len() as u64);
        }
        Ok(())
    }

    /// Measures every target by its row of `N` models' logits and adds what was found to its
    /// sequence's results. Logits are made for some rows at a time.
    pub(super) fn each<const N: usize, T: Send>(
        &self,
        vocabulary: usize,
        logits: impl Fn(Range<usize>) -> [Matrix; N],
        measure: impl Fn([&[f32]; N], usize) -> T + Sync,
        results: &mut [Vec<T>],
        observer: &dyn Observer,
    ) -> Result<()> {
        let targets = self.targets();
        let step = logit_rows(vocabulary);
        for start in (0..targets.len()).step_by(step) {
            observer.check()?;
            let targets = &targets[start..targets.len().min(start + step)];
            let logits = logits(start..start + targets.len());
            let found: Vec<T> = targets
                .par_iter()
                .enumerate()
                .map(|(row, &(_, token))| {
                    measure(logits.each_ref().map(|logits| logits.row(row)), token as usize)
                })
                .collect();
            logits.into_iter().for_each(Matrix::recycle);
            for (&(sequence, _), found) in targets.iter().zip(found) {
                results[sequence].push(found);
            }
            observer.advanced(targets.len() as u64);
        }
        Ok(())
    }
}

/// `log softmax(logits)[token]`.
pub(crate) fn log_probability(logits: &[f32], token: usize) -> f64 {
    f64::from(logits[token]) - log_sum_exp(logits)
}

/// Rows of logits that are made at a time.
pub(super) fn logit_rows(vocabulary: usize) -> usize {
    (LOGIT_BYTES / (vocabulary.max(1) * size_of::<f32>())).clamp(8, CHUNK_TOKENS)
}

/// The sequences that have something to score, in order, some at a time.
pub(super) fn chunks<'a>(sequences: &[&'a [u32]]) -> Vec<Chunk<'a>> {
    let mut chunks: Vec<Chunk<'a>> = Vec::new();
    for (index, &tokens) in sequences.iter().enumerate().filter(|(_, tokens)| tokens.len() > 1) {
        match chunks.last_mut() {
            Some(chunk) if chunk.tokens() + tokens.len() - 1 <= CHUNK_TOKENS => {
                chunk.sequences.push((index, tokens));
            }
            _ => chunks.push(Chunk { sequences: vec![(index, tokens)] }),
        }
    }
    chunks
}

/// Consecutive chunks of at most `capacity` tokens together, at least one chunk each.
pub(super) fn groups(chunks: &[Chunk<'_>], capacity: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (index, tokens) in chunks.iter().map(Chunk::tokens).enumerate() {
        match groups.last_mut() {
            Some(group) if held + tokens <= capacity => group.end = index + 1,
            _ => {
                groups.push(index..index + 1);
                held = 0;
            }
        }
        held += tokens;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_what_is_to_be_scored_in_order() {
        let sequences = [vec![1; 3], vec![], vec![2; 2047], vec![3], vec![4; 5000], vec![5; 2]];
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let chunks = chunks(&borrowed);
        assert_eq!(
            chunks.iter().map(Chunk::indices).collect::<Vec<_>>(),
            [vec![0, 2], vec![4], vec![5]]
        );
        assert_eq!(chunks.iter().map(Chunk::tokens).collect::<Vec<_>>(), [2048, 4999, 1]);
    }

    #[test]
    fn groups_fill_the_room_and_never_starve() {
        let sequences = vec![vec![1; 2000]; 5];
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let chunks = chunks(&borrowed);
        assert_eq!(groups(&chunks, 4000), [0..2, 2..4, 4..5]);
        assert_eq!(groups(&chunks, 10), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert_eq!(groups(&chunks, usize::MAX), vec![0..5]);
    }

    #[test]
    fn log_probabilities_survive_large_logits() {
        assert!((log_probability(&[1000.0, 1000.0], 1) + 2f64.ln()).abs() < 1e-12);
        assert!((log_probability(&[-1000.0, 1000.0], 0) + 2000.0).abs() < 1e-9);
    }
}
