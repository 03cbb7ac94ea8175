//! A forest through the blocks, level by level.

use compute::{KeyValueCache, Matrix};
use rayon::prelude::*;

use super::super::chunks::CHUNK_TOKENS;
use super::super::{Options, Source, fixed_bytes};
use super::Forest;
use crate::{Batch, Block, BlockSpec, Model, Observer, Result, cost};

/// Tokens whose residual stream is held at a time where memory does not say less.
const GROUP_TOKENS: usize = 1 << 14;

/// Tokens whose keys and values are held for one batch, copies of shared ones among them.
const CACHED_TOKENS: usize = 1 << 14;

/// Segments of one level that run together.
struct Chunk {
    segments: Vec<usize>,
    lengths: Vec<usize>,
    /// Whether the segments stand alone: no other comes before one or goes on from one.
    alone: bool,
}

/// The residual stream of every chunk.
pub(super) struct States {
    chunks: Vec<Chunk>,
    residuals: Vec<Matrix>,
}

/// Tokens whose residual stream may be held.
///
/// # Errors
/// When the longest request does not fit the memory.
pub(super) fn capacity(model: &Model, longest: usize, options: &Options) -> Result<usize> {
    let (spec, precision) = (model.spec(), model.precision());
    let batch = longest.max(CHUNK_TOKENS);
    let cached = |tokens| {
        let bytes = |block: &BlockSpec| KeyValueCache::bytes(&block.attention, tokens, precision);
        spec.blocks.iter().map(bytes).max().unwrap_or(0)
    };
    let fixed = fixed_bytes(model, options, batch) + cached(CACHED_TOKENS + longest);
    // a cache takes whole steps: segments a quarter as long are allowed for
    let per_token = (spec.hidden * size_of::<f32>()) as u64
        + 4 * cached(KeyValueCache::STEP) / KeyValueCache::STEP as u64;
    let needed = fixed + batch as u64 * per_token;
    let hint = "score block by block (streamed), or allow more memory";
    cost::fits("scoring continuations", needed, options.memory, hint)?;
    let most = if options.streamed { usize::MAX } else { GROUP_TOKENS.max(batch) };
    Ok(options.memory.map_or(most, |memory| most.min(((memory - fixed) / per_token) as usize)))
}

/// Runs every segment through every block.
pub(super) fn blocks(
    model: &Model,
    source: &Source,
    forest: &Forest<'_>,
    observer: &dyn Observer,
) -> Result<States> {
    let chunks = chunks(forest);
    let embed = |chunk: &Chunk| {
        let tokens = chunk.segments.iter().flat_map(|&segment| forest.segments[segment].tokens);
        model.embed(&tokens.copied().collect::<Vec<_>>())
    };
    let mut states =
        States { residuals: chunks.iter().map(embed).collect::<Result<Vec<_>>>()?, chunks };
    for index in 0..model.spec().blocks.len() {
        source.with_block(model, index, |block| states.step(block, model, forest, observer))?;
    }
    Ok(states)
}

/// The segments of every level in order, those that stand alone apart.
fn chunks(forest: &Forest<'_>) -> Vec<Chunk> {
    let levels = forest.segments.iter().map(|segment| segment.level + 1).max().unwrap_or(0);
    let mut chunks = Vec::new();
    for level in 0..levels {
        for alone in [true, false] {
            let mut last: Option<(Chunk, usize)> = None;
            for (index, segment) in forest.segments.iter().enumerate() {
                let is_alone = segment.parent.is_none() && !segment.has_children;
                if segment.level != level || is_alone != alone {
                    continue;
                }
                let (new, end) = (segment.tokens.len(), segment.start + segment.tokens.len());
                let end = end.next_multiple_of(KeyValueCache::STEP);
                match &mut last {
                    Some((chunk, held))
                        if chunk.tokens() + new <= CHUNK_TOKENS && *held + end <= CACHED_TOKENS =>
                    {
                        chunk.segments.push(index);
                        chunk.lengths.push(new);
                        *held += end;
                    }
                    _ => {
                        let chunk = Chunk { segments: vec![index], lengths: vec![new], alone };
                        chunks.extend(last.replace((chunk, end)).map(|(full, _)| full));
                    }
                }
            }
            chunks.extend(last.map(|(chunk, _)| chunk));
        }
    }
    chunks
}

impl Chunk {
    fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }
}

impl States {
    /// Runs every chunk through one block; chunks stand in the order of their levels.
    fn step(
        &mut self,
        block: &Block,
        model: &Model,
        forest: &Forest<'_>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut held: Vec<Option<KeyValueCache>> = vec![None; forest.segments.len()];
        for (chunk, residual) in self.chunks.iter().zip(&mut self.residuals) {
            observer.check()?;
            let input = std::mem::take(residual);
            if chunk.alone {
                *residual = block.run(input, &mut Batch::fresh(&chunk.lengths));
            } else {
                let (shape, precision) = (&block.spec().attention, model.precision());
                let past = |&index: &usize| {
                    let tokens = forest.segments[index].tokens.len();
                    match forest.segments[index].parent {
                        Some(parent) => {
                            let parent = held[parent].as_ref();
                            parent.expect("parents run before children").fork(tokens)
                        }
                        None => KeyValueCache::with_capacity(shape, tokens, precision),
                    }
                };
                let mut pasts: Vec<_> = chunk.segments.par_iter().map(past).collect();
                *residual = block.run(input, &mut Batch::cached(&chunk.lengths, &mut pasts));
                for (&index, past) in chunk.segments.iter().zip(pasts) {
                    held[index] = forest.segments[index].has_children.then_some(past);
                }
            }
            observer.advanced(chunk.tokens() as u64);
        }
        Ok(())
    }

    /// The chunk every segment runs in, and the row of its first token there.
    pub(super) fn places(&self, segments: usize) -> Vec<(usize, usize)> {
        let mut places = vec![(0, 0); segments];
        for (number, chunk) in self.chunks.iter().enumerate() {
            let mut row = 0;
            for (&segment, length) in chunk.segments.iter().zip(&chunk.lengths) {
                places[segment] = (number, row);
                row += length;
            }
        }
        places
    }

    /// The residual stream of one token, `[hidden]`.
    pub(super) fn row(&self, (chunk, row): (usize, usize)) -> &[f32] {
        self.residuals[chunk].row(row)
    }
}
