//! How tensors are stored: which types are read, and how large their blocks are.

use super::blocks;
use crate::{Error, Result};

/// A storage type that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// The types that can be read, as users know them.
const READ: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K";

/// Types that exist and are not read (source: `GGMLQuantizationType` of the `gguf` package).
const NOT_READ: &[(u32, &str)] = &[
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl Storage {
    /// The type that tensor `name` is stored in.
    pub(super) fn from_code(code: u32, name: &str) -> Result<Self> {
        Ok(match code {
            0 => Storage::F32,
            1 => Storage::F16,
            2 => Storage::Q4_0,
            3 => Storage::Q4_1,
            6 => Storage::Q5_0,
            7 => Storage::Q5_1,
            8 => Storage::Q8_0,
            12 => Storage::Q4K,
            13 => Storage::Q5K,
            14 => Storage::Q6K,
            30 => Storage::Bf16,
            code => return Err(not_read(code, name)),
        })
    }

    /// Values of one block.
    pub(super) fn block_values(self) -> usize {
        match self {
            Storage::F32 | Storage::F16 | Storage::Bf16 => 1,
            Storage::Q4K | Storage::Q5K | Storage::Q6K => 256,
            _ => 32,
        }
    }

    /// Bytes of one block.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Storage::F16 | Storage::Bf16 => 2,
            Storage::F32 => 4,
            Storage::Q4_0 => 18,
            Storage::Q4_1 => 20,
            Storage::Q5_0 => 22,
            Storage::Q5_1 => 24,
            Storage::Q8_0 => 34,
            Storage::Q4K => 144,
            Storage::Q5K => 176,
            Storage::Q6K => 210,
        }
    }

    /// The values of whole blocks.
    ///
    /// # Panics
    /// When `values` is not as long as the blocks in `bytes` hold.
    pub(super) fn expand(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Storage::F32 => each(bytes, values, blocks::f32),
            Storage::F16 => each(bytes, values, blocks::f16),
            Storage::Bf16 => each(bytes, values, blocks::bf16),
            Storage::Q4_0 => each(bytes, values, blocks::q4_0),
            Storage::Q4_1 => each(bytes, values, blocks::q4_1),
            Storage::Q5_0 => each(bytes, values, blocks::q5_0),
            Storage::Q5_1 => each(bytes, values, blocks::q5_1),
            Storage::Q8_0 => each(bytes, values, blocks::q8_0),
            Storage::Q4K => each(bytes, values, blocks::q4_k),
            Storage::Q5K => each(bytes, values, blocks::q5_k),
            Storage::Q6K => each(bytes, values, blocks::q6_k),
        }
    }
}

/// Expands blocks of `BYTES` bytes and `VALUES` values with `one`.
fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    values: &mut [f32],
    one: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    let (blocks, outputs) = (bytes.as_chunks::<BYTES>().0, values.as_chunks_mut::<VALUES>().0);
    assert_eq!(blocks.len(), outputs.len());
    blocks.iter().zip(outputs).for_each(|(block, output)| one(block, output));
}

fn not_read(code: u32, name: &str) -> Error {
    let known = NOT_READ.iter().find(|(other, _)| *other == code);
    let kind = known.map_or(format!("number {code}"), |(_, kind)| (*kind).to_owned());
    Error::Unsupported {
        what: format!("tensor {name}: the storage type {kind}"),
        hint: format!(
            "it must be one of {READ}; prune the original checkpoint, or a GGUF file of it in one \
             of these types (llama-quantize can write Q8_0)"
        ),
    }
}
