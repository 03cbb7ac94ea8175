//! A tile of keys for many queries: scores, weights and weighted values in one go, where a level can.

use super::{KEYS, Kernels, Line, PANEL, Rows, Running};
use crate::{KernelLevel, Precision};

/// A tile of keys and values, and the queries that see some of it.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "a level of x86-64 reads it"))]
pub(crate) struct KeyTile<'a> {
    /// The queries, with room for as many rows as make whole blocks of [`BLOCK`].
    pub(crate) queries: Rows<'a>,
    /// Panels of keys, `head_dim` along the depth.
    pub(crate) keys: &'a [Line],
    /// Panels of values, [`KEYS`] along the depth.
    pub(crate) values: &'a [Line],
    /// Keys in the tile.
    pub(crate) count: usize,
    pub(crate) head_dim: usize,
    /// Whether the rows have seen no keys before.
    pub(crate) first: bool,
    /// How many keys of the tile, and of those after it, each row sees.
    pub(crate) visible: &'a dyn Fn(usize) -> usize,
}

/// Rows that are worked on together.
pub(crate) const BLOCK: usize = 32;
/// Lines of a block's scores, `[KEYS / PANEL][BLOCK][PANEL]`.
pub(super) const SCORES: usize = KEYS * BLOCK / 16;
/// Lines of a block's weights, `[BLOCK][KEYS]` in pairs.
pub(super) const WEIGHTS: usize = BLOCK * KEYS / 32;

impl Kernels {
    /// Whether [`attend`] does it: `rows` rows that fill more than half a block, and whole panels of
    /// `count` keys and of a head's width.
    pub(crate) fn attends(self, rows: usize, head_dim: usize, count: usize) -> bool {
        (self.level, self.precision) == (KernelLevel::AmxBf16, Precision::Bf16)
            && rows > BLOCK / 2
            && head_dim.is_multiple_of(PANEL)
            && count.is_multiple_of(PANEL)
    }
}

/// Adds the weighted values of a tile to `running`; the same bits as its scores, their weights and two
/// products one after another.
///
/// # Panics
/// Where [`Kernels::attends`] says no, or something has not the size that `tile` says.
pub(crate) fn attend(
    kernels: Kernels,
    tile: &KeyTile<'_>,
    running: &mut Running<'_>,
    memory: &mut Vec<Line>,
) {
    let KeyTile { queries, head_dim, count, .. } = *tile;
    assert!(kernels.attends(queries.count, head_dim, count) && count <= KEYS);
    let rows = queries.count.next_multiple_of(BLOCK);
    assert!((rows - 1) * queries.stride + kernels.depth(head_dim) <= queries.words.len());
    assert!(count / PANEL * kernels.panel_lines(head_dim) <= tile.keys.len());
    assert!(head_dim / PANEL * kernels.panel_lines(KEYS) <= tile.values.len());
    assert!(running.width == head_dim && rows * head_dim <= running.values.len());
    assert!(queries.count <= running.references.len() && queries.count <= running.sums.len());
    memory.resize(SCORES + WEIGHTS, Line::ZERO);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a level is active only when the processor has its instructions; everything has the size
    // that was just checked.
    unsafe {
        super::amx::attend(tile, running, memory);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("no other level attends in one go");
}
