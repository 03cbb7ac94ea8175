//! Keys and values of sequences that grow, and the attention of their new tokens.

use rayon::prelude::*;

use super::panels::{HeadPanels, PackedHead};
use super::span::Problem;
use super::{
    AttentionShape, QueryTile, Results, Sequence, attend_tiles, check, query_tiles, tile_length,
};
use crate::kernels::{KEYS, Kernels, Line};
use crate::{KernelLevel, LinearInput, MatrixRef, Precision};

/// Keys and values of one sequence in one attention layer, held as the kernels read them: a new
/// token is written into its place and nothing is converted again when it is used.
#[derive(Clone, Debug)]
pub struct KeyValueCache {
    kernels: Kernels,
    kv_heads: usize,
    head_dim: usize,
    /// `[tiles of keys][kv_heads]`, keys and values of a tile one after the other.
    lines: Vec<Line>,
    tokens: usize,
}

/// The new tokens of a sequence whose earlier keys and values are kept.
#[derive(Debug)]
pub struct CachedSequence<'a> {
    /// Queries of the new tokens, `[new, heads · head_dim]`.
    pub q: MatrixRef<'a>,
    /// Keys of the new tokens, `[new, kv_heads · head_dim]`.
    pub k: MatrixRef<'a>,
    /// Values of the new tokens, `[new, kv_heads · head_dim]`.
    pub v: MatrixRef<'a>,
    /// Keys and values of the tokens before; those of the new tokens are added to it.
    pub past: &'a mut KeyValueCache,
}

impl CachedSequence<'_> {
    /// The queries, and how many keys they see; the keys themselves are in the cache.
    fn view(&self) -> Sequence<'_> {
        let keys = MatrixRef::new(self.past.tokens, 0, &[]);
        Sequence { q: self.q, k: keys, v: keys }
    }
}

impl KeyValueCache {
    /// Tokens by which the room grows.
    pub const STEP: usize = KEYS;

    /// An empty cache with room for `tokens` tokens.
    pub fn with_capacity(shape: &AttentionShape, tokens: usize, precision: Precision) -> Self {
        let kernels = Kernels { level: KernelLevel::active(), precision };
        let AttentionShape { kv_heads, head_dim, .. } = *shape;
        let mut cache = Self { kernels, kv_heads, head_dim, lines: Vec::new(), tokens: 0 };
        cache.lines.reserve_exact(cache.lines_for(tokens));
        cache
    }

    /// Bytes that `tokens` tokens take.
    pub fn bytes(shape: &AttentionShape, tokens: usize, precision: Precision) -> u64 {
        let lines = Self::with_capacity(shape, 0, precision).lines_for(tokens);
        (lines * size_of::<Line>()) as u64
    }

    /// Number of tokens held.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// A copy with room for `tokens` more tokens.
    #[must_use]
    pub fn fork(&self, tokens: usize) -> Self {
        let mut lines = Vec::with_capacity(self.lines_for(self.tokens + tokens));
        lines.extend_from_slice(&self.lines);
        Self { lines, ..*self }
    }

    /// Forgets every token and keeps the room.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.tokens = 0;
    }

    /// Adds the keys and values of the tokens that follow, `[new, kv_heads · head_dim]` each.
    fn append(&mut self, keys: MatrixRef<'_>, values: MatrixRef<'_>) {
        let tokens = self.tokens + keys.rows();
        self.lines.resize(self.lines_for(tokens), Line::ZERO);
        for row in 0..keys.rows() {
            self.store(self.tokens + row, keys.row(row), values.row(row));
        }
        self.tokens = tokens;
    }

    fn store(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let (head_dim, tile) = (self.head_dim, self.lines_for(1));
        let mut lines = &mut self.lines[position / KEYS * tile..][..tile];
        for kv_head in 0..self.kv_heads {
            let head = HeadPanels { kernels: self.kernels, head_dim, kv_head };
            let (own, rest) = lines.split_at_mut(head.lines());
            let range = kv_head * head_dim..(kv_head + 1) * head_dim;
            head.store(position % KEYS, (&key[range.clone()], &value[range]), own);
            lines = rest;
        }
    }

    /// Asks for what is held to be brought near.
    fn expect(&self) {
        for first in (0..self.tokens).step_by(KEYS) {
            for kv_head in 0..self.kv_heads {
                let head = HeadPanels { kernels: self.kernels, head_dim: self.head_dim, kv_head };
                head.expect(self.head(kv_head).tile(first), (self.tokens - first).min(KEYS));
            }
        }
    }

    fn lines_for(&self, tokens: usize) -> usize {
        let head = HeadPanels { kernels: self.kernels, head_dim: self.head_dim, kv_head: 0 };
        tokens.div_ceil(KEYS) * self.kv_heads * head.lines()
    }

    fn head(&self, kv_head: usize) -> PackedHead<'_> {
        let stride = self.lines_for(1);
        PackedHead { lines: &self.lines[kv_head * stride / self.kv_heads..], stride }
    }
}

/// [`super::causal_attention_batch`] of sequences that go on where their caches end; the same bits
/// as if all their tokens were given at once.
///
/// # Panics
/// When the widths are not the shape's, or there is not one query, key and value per new token.
pub fn causal_attention_cached(
    shape: &AttentionShape,
    sequences: &mut [CachedSequence<'_>],
) -> LinearInput {
    for CachedSequence { q, k, v, past } in &*sequences {
        check(shape, &Sequence { q: *q, k: *k, v: *v });
        assert_eq!(q.rows(), k.rows(), "a token has a query and a key");
        assert_eq!((past.kv_heads, past.head_dim), (shape.kv_heads, shape.head_dim));
    }
    let Some(first) = sequences.first() else { return LinearInput::default() };
    let (kernels, length) = (first.past.kernels, tile_length(shape));
    let tokens = sequences.iter().map(|sequence| sequence.q.rows()).sum();
    let mut out = LinearInput::new(kernels, tokens, shape.query_width());
    let few = |sequence: &CachedSequence<'_>| sequence.q.rows() <= length;
    if sequences.len() >= 2 * rayon::current_num_threads() && sequences.iter().all(few) {
        attend_one_by_one(kernels, shape, sequences, Results::of(&mut out));
        return out;
    }
    sequences.par_iter_mut().for_each(|sequence| sequence.past.append(sequence.k, sequence.v));
    let views: Vec<Sequence<'_>> = sequences.iter().map(CachedSequence::view).collect();
    let tiles = query_tiles(&views, length, Results::of(&mut out));
    let packed = |tile: &QueryTile<'_, '_>, kv_head| Some(sequences[tile.index].past.head(kv_head));
    attend_tiles(kernels, shape, tiles, &packed);
    out
}

/// Sequences whose new tokens make one tile each, in tasks of their own: the cache lines into which keys are
/// written are those that are read next.
fn attend_one_by_one(
    kernels: Kernels,
    shape: &AttentionShape,
    sequences: &mut [CachedSequence<'_>],
    mut out: Results<'_>,
) {
    let mut tasks = Vec::new();
    for sequence in sequences {
        let (own, others) = out.split(sequence.q.rows());
        tasks.push((sequence, own));
        out = others;
    }
    // a few at a time, so that there is a next one to ask for, and enough tasks for all threads
    let at_once = (tasks.len() / (4 * rayon::current_num_threads())).clamp(1, 8);
    tasks.par_chunks_mut(at_once).for_each(|chunk| {
        for index in 0..chunk.len() {
            if let Some((next, _)) = chunk.get(index + 1) {
                next.past.expect();
            }
            let (sequence, out) = &mut chunk[index];
            sequence.past.append(sequence.k, sequence.v);
            let view = sequence.view();
            for kv_head in 0..shape.kv_heads {
                Problem::new(kernels, shape, &view, &(0..view.q.rows()), kv_head)
                    .with_packed(Some(sequence.past.head(kv_head)))
                    .run(out);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{bits, in_pool, random};
    use crate::{Matrix, causal_attention};

    const SHAPES: [(usize, usize, usize); 4] = [(9, 3, 64), (2, 2, 7), (4, 1, 33), (6, 2, 80)];

    /// One sequence's queries, keys and values.
    fn inputs(shape: &AttentionShape, tokens: usize, seed: u64) -> [Matrix; 3] {
        [shape.query_width(), shape.kv_width(), shape.kv_width()]
            .map(|width| random(tokens, width, seed + width as u64))
    }

    /// The results of sequences that take `steps` tokens at a time, in turns.
    fn in_steps(
        shape: &AttentionShape,
        sequences: &[[Matrix; 3]],
        steps: &[usize],
        caches: &mut [KeyValueCache],
    ) -> Vec<Vec<f32>> {
        let mut results = vec![Vec::new(); sequences.len()];
        for round in 0.. {
            let range = |index: usize, cache: &KeyValueCache| {
                let step = steps[(round + index) % steps.len()];
                cache.tokens()..sequences[index][0].rows().min(cache.tokens() + step)
            };
            let new = caches.iter_mut().enumerate().map(|(index, past)| {
                let range = range(index, past);
                let [q, k, v] = sequences[index].each_ref().map(|m| m.view_rows(range.clone()));
                CachedSequence { q, k, v, past }
            });
            let mut new: Vec<_> = new.collect();
            let counts: Vec<usize> = new.iter().map(|sequence| sequence.q.rows()).collect();
            if counts.iter().all(|count| *count == 0) {
                return results;
            }
            let out = causal_attention_cached(shape, &mut new).to_matrix();
            let mut rows = 0;
            for (result, count) in results.iter_mut().zip(counts) {
                result.extend_from_slice(out.view_rows(rows..rows + count).as_slice());
                rows += count;
            }
        }
        unreachable!("the rounds end when no sequence has tokens left")
    }

    fn check(
        (heads, kv_heads, head_dim): (usize, usize, usize),
        lengths: &[usize],
        threads: usize,
    ) {
        let shape = AttentionShape { heads, kv_heads, head_dim, scale: 0.3 };
        let sequences: Vec<_> =
            (0u64..).zip(lengths).map(|(seed, &length)| inputs(&shape, length, seed)).collect();
        for precision in [Precision::F32, Precision::Bf16] {
            let whole = sequences.iter().map(|[q, k, v]| {
                causal_attention(&shape, q.view(), k.view(), v.view(), precision).into_vec()
            });
            let whole: Vec<_> = whole.collect();
            let mut caches: Vec<_> = lengths
                .iter()
                .map(|&length| KeyValueCache::with_capacity(&shape, length, precision))
                .collect();
            for steps in [&[1][..], &[150, 1, 3], &[1000]] {
                caches.iter_mut().for_each(KeyValueCache::clear);
                let found = in_pool(threads, || in_steps(&shape, &sequences, steps, &mut caches));
                for (found, whole) in found.iter().zip(&whole) {
                    assert_eq!(bits(found), bits(whole), "{precision:?} {steps:?}");
                }
            }
        }
    }

    #[test]
    fn growing_sequences_have_the_bits_of_whole_ones() {
        for shape in SHAPES {
            check(shape, &[130, 1, 67], 2);
        }
        check((4, 2, 16), &[700, 5], 3);
        check((4, 2, 16), &[20, 129, 33, 128, 127, 256], 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn any_shape_has_the_bits_of_the_whole(
            kv_heads in 1usize..4, group in 1usize..4, head_dim in 1usize..40,
            first in 1usize..150, second in 1usize..150, threads in 1usize..4,
        ) {
            check((kv_heads * group, kv_heads, head_dim), &[first, second], threads);
        }
    }

    #[test]
    fn the_room_is_what_was_announced() {
        let shape = AttentionShape { heads: 9, kv_heads: 3, head_dim: 64, scale: 0.125 };
        let bytes = |tokens, precision| KeyValueCache::bytes(&shape, tokens, precision);
        assert_eq!(bytes(0, Precision::Bf16), 0);
        assert_eq!(bytes(128, Precision::Bf16), 128 * 2 * 192 * 2);
        assert_eq!(bytes(129, Precision::F32), 256 * 2 * 192 * 4);
        let mut cache = KeyValueCache::with_capacity(&shape, 300, Precision::Bf16);
        let room = cache.lines.capacity();
        let [_, keys, values] = inputs(&shape, 300, 1);
        cache.append(keys.view(), values.view());
        assert_eq!((cache.tokens(), cache.lines.capacity()), (300, room));
        assert_eq!(size_of_val(cache.lines.as_slice()) as u64, bytes(300, Precision::Bf16));
    }
}
