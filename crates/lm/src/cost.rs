//! What a model takes in memory, estimated before any of it is loaded.

use compute::Precision;

use crate::{BlockSpec, Error, KeyValues, Result, Spec};

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

/// Bytes a tensor takes on its way from the file to its laid-out form, for the largest one: as
/// `f32`, beside the 16-bit values a quantised file is expanded to.
pub(crate) fn loading(spec: &Spec) -> u64 {
    let sizes = spec.tensors();
    let largest = sizes.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).max();
    largest.unwrap_or(0) * (size_of::<f32>() + size_of::<half::bf16>()) as u64
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

/// Bytes of one token's keys and values in all blocks.
pub(crate) fn cache_per_token(spec: &Spec, precision: Precision) -> u64 {
    let width = |block: &BlockSpec| block.attention.kv_width();
    spec.blocks.iter().map(|block| KeyValues::bytes_per_token(width(block), precision)).sum()
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
