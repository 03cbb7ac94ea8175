//! What a model takes in memory, estimated before any of it is loaded.

use compute::{KeyValueCache, Precision};

use crate::{BlockSpec, Error, Result, Spec};

/// Values of the output projection that are read at a time.
pub(crate) const HEAD_VALUES: usize = 1 << 22;

/// Bytes one weight of a loaded linear takes.
fn weight_size(precision: Precision) -> u64 {
    match precision {
        Precision::F32 => 4,
        Precision::Bf16 => 2,
    }
}

/// Bytes of a loaded block's weights.
pub(crate) fn block(spec: &Spec, block: &BlockSpec, precision: Precision) -> u64 {
    elements(&block.tensors(spec.hidden)) * weight_size(precision)
}

/// Bytes of the loaded output projection.
pub(crate) fn head(spec: &Spec, precision: Precision) -> u64 {
    (spec.vocabulary * spec.hidden) as u64 * weight_size(precision)
}

/// Bytes of every block and the output projection; embeddings stay in the mapped file.
pub(crate) fn weights(spec: &Spec, precision: Precision) -> u64 {
    let blocks = spec.blocks.iter().map(|one| block(spec, one, precision));
    blocks.sum::<u64>() + head(spec, precision)
}

/// Bytes of the largest block, loaded.
pub(crate) fn largest_block(spec: &Spec, precision: Precision) -> u64 {
    spec.blocks.iter().map(|one| block(spec, one, precision)).max().unwrap_or(0)
}

/// Most bytes held while the head is loaded, and then every block.
pub(crate) fn loading_all(spec: &Spec, precision: Precision) -> u64 {
    let blocks = weights(spec, precision) + loading_tensor_of_blocks(spec);
    blocks.max(loading_head(spec, precision))
}

/// Most bytes held while one block at a time is loaded, or the head alone.
pub(crate) fn loading_one(spec: &Spec, precision: Precision) -> u64 {
    let block = largest_block(spec, precision) + loading_tensor_of_blocks(spec);
    block.max(loading_head(spec, precision))
}

fn loading_head(spec: &Spec, precision: Precision) -> u64 {
    let whole = spec.vocabulary * spec.hidden;
    head(spec, precision) + loading(whole.min(HEAD_VALUES) as u64)
}

fn loading_tensor_of_blocks(spec: &Spec) -> u64 {
    let tensors = spec.blocks.iter().flat_map(|block| block.tensors(spec.hidden));
    loading(tensors.map(|(_, shape)| shape.iter().product::<usize>() as u64).max().unwrap_or(0))
}

/// Bytes that `elements` take on their way from the file to their laid-out form: as `f32`, beside
/// the 16-bit values a quantised file is expanded to.
fn loading(elements: u64) -> u64 {
    elements * (size_of::<f32>() + size_of::<half::bf16>()) as u64
}

/// Bytes of the values that one token holds on its way through the widest stage of a block.
pub(crate) fn activations_per_token(spec: &Spec) -> u64 {
    let width = |block: &BlockSpec| {
        let attention = 3 * block.attention.query_width() + 4 * block.attention.kv_width();
        3 * spec.hidden + attention.max(3 * block.mlp.intermediate)
    };
    let widest = spec.blocks.iter().map(width).max().unwrap_or(0);
    (widest * size_of::<f32>()) as u64
}

/// Bytes of the keys and values of `tokens` tokens of one sequence in all blocks.
pub(crate) fn cache(spec: &Spec, tokens: usize, precision: Precision) -> u64 {
    let bytes = |block: &BlockSpec| KeyValueCache::bytes(&block.attention, tokens, precision);
    spec.blocks.iter().map(bytes).sum()
}

/// Refuses `what` when `needed` bytes are more than `allowed`.
pub(crate) fn fits(what: &str, needed: u64, allowed: Option<u64>, hint: &str) -> Result<()> {
    match allowed {
        Some(allowed) if needed > allowed => {
            Err(Error::Memory { what: what.into(), needed, allowed, hint: hint.into() })
        }
        _ => Ok(()),
    }
}

fn elements(tensors: &[(String, Vec<usize>)]) -> u64 {
    tensors.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
}
