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
        let blocks = bytes.chunks_exact(self.block_bytes());
        let outputs = values.chunks_exact_mut(self.block_values());
        assert_eq!(blocks.len(), outputs.len());
        let one = self.expander();
        blocks.zip(outputs).for_each(|(block, output)| one(block, output));
    }

    fn expander(self) -> fn(&[u8], &mut [f32]) {
        match self {
            Storage::F32 => blocks::f32,
            Storage::F16 => blocks::f16,
            Storage::Bf16 => blocks::bf16,
            Storage::Q4_0 => blocks::q4_0,
            Storage::Q4_1 => blocks::q4_1,
            Storage::Q5_0 => blocks::q5_0,
            Storage::Q5_1 => blocks::q5_1,
            Storage::Q8_0 => blocks::q8_0,
            Storage::Q4K => blocks::q4_k,
            Storage::Q5K => blocks::q5_k,
            Storage::Q6K => blocks::q6_k,
        }
    }
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
