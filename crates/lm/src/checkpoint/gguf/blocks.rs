//! One block of each storage type to `f32`.
//!
//! Source of the formulas: `dequantize_row_*` of ggml (`ggml-quants.c`) and the `gguf` package
//! (`quants.py`), in the same order of operations, so that results are the same to the bit. Every
//! function takes one block's bytes and the place of its values.

use half::{bf16, f16};

pub(super) fn f32(block: &[u8; 4], values: &mut [f32; 1]) {
    values[0] = f32::from_le_bytes(*block);
}

pub(super) fn f16(block: &[u8; 2], values: &mut [f32; 1]) {
    values[0] = half(block);
}

pub(super) fn bf16(block: &[u8; 2], values: &mut [f32; 1]) {
    values[0] = bf16::from_le_bytes(*block).to_f32();
}

/// The half-precision number that `bytes` begins with.
fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// `[scale f16][16 bytes]`: low nibbles are values 0–15, high ones 16–31; value = (n − 8)·scale.
pub(super) fn q4_0(block: &[u8; 18], values: &mut [f32; 32]) {
    let scale = half(block);
    nibbles(&block[2..], values, |nibble, _| scale * (f32::from(nibble) - 8.0));
}

/// `[scale f16][minimum f16][16 bytes]`: value = n·scale + minimum.
pub(super) fn q4_1(block: &[u8; 20], values: &mut [f32; 32]) {
    let (scale, minimum) = (half(block), half(&block[2..]));
    nibbles(&block[4..], values, |nibble, _| scale * f32::from(nibble) + minimum);
}

/// `[scale f16][fifth bits u32][16 bytes]`: value = (n − 16)·scale.
pub(super) fn q5_0(block: &[u8; 22], values: &mut [f32; 32]) {
    let scale = half(block);
    let fifth = fifth_bits(&block[2..]);
    nibbles(&block[6..], values, |nibble, index| scale * (f32::from(nibble | fifth(index)) - 16.0));
}

/// `[scale f16][minimum f16][fifth bits u32][16 bytes]`: value = n·scale + minimum.
pub(super) fn q5_1(block: &[u8; 24], values: &mut [f32; 32]) {
    let (scale, minimum) = (half(block), half(&block[2..]));
    let fifth = fifth_bits(&block[4..]);
    nibbles(&block[8..], values, |nibble, index| {
        scale * f32::from(nibble | fifth(index)) + minimum
    });
}

/// `[scale f16][32 signed bytes]`.
pub(super) fn q8_0(block: &[u8; 34], values: &mut [f32; 32]) {
    let scale = half(block);
    for (value, byte) in values.iter_mut().zip(&block[2..]) {
        *value = f32::from(byte.cast_signed()) * scale;
    }
}

/// 16 bytes of two values each, 16 apart.
fn nibbles(bytes: &[u8], values: &mut [f32; 32], value: impl Fn(u8, usize) -> f32) {
    let (low, high) = values.split_at_mut(16);
    for (index, byte) in bytes.iter().enumerate() {
        low[index] = value(byte & 15, index);
        high[index] = value(byte >> 4, index + 16);
    }
}

/// The fifth bit of each of 32 values, in its place.
fn fifth_bits(bytes: &[u8]) -> impl Fn(usize) -> u8 {
    let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    move |index| ((bits >> index & 1) as u8) << 4
}

/// `[scale f16][minimum f16][12 bytes of 6-bit scales and minima][128 bytes]`, 8 groups of 32.
pub(super) fn q4_k(block: &[u8; 144], values: &mut [f32; 256]) {
    let (head, nibbles) = block.split_at(16);
    grouped(head, values, |group, index| nibble_of_group(nibbles, group, index));
}

/// As [`q4_k`] with 32 bytes of fifth bits (bit g of byte i is for value i of group g) before the
/// nibbles.
pub(super) fn q5_k(block: &[u8; 176], values: &mut [f32; 256]) {
    let (head, rest) = block.split_at(16);
    let (fifth, nibbles) = rest.split_at(32);
    grouped(head, values, |group, index| {
        nibble_of_group(nibbles, group, index) | (fifth[index] >> group & 1) << 4
    });
}

/// Two groups share 32 bytes: the even one has the low nibbles.
fn nibble_of_group(nibbles: &[u8], group: usize, index: usize) -> u8 {
    nibbles[group / 2 * 32 + index] >> (group % 2 * 4) & 15
}

/// Values of 8 groups of 32: (scale·s)·n − minimum·m.
fn grouped(head: &[u8], values: &mut [f32], quant: impl Fn(usize, usize) -> u8) {
    let (scale, minimum) = (half(head), half(&head[2..]));
    for (group, values) in values.chunks_exact_mut(32).enumerate() {
        let (s, m) = six_bits(&head[4..16], group);
        let (scale, minimum) = (scale * f32::from(s), minimum * f32::from(m));
        for (index, value) in values.iter_mut().enumerate() {
            *value = scale * f32::from(quant(group, index)) - minimum;
        }
    }
}

/// The 6-bit scale and minimum of one of 8 groups (`get_scale_min_k4` in ggml).
fn six_bits(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let last = packed[group + 4];
    (last & 15 | packed[group - 4] >> 6 << 4, last >> 4 | packed[group] >> 6 << 4)
}

/// `[128 bytes of low nibbles][64 bytes of upper bit pairs][16 signed scales][scale f16]`: two
/// halves of 4 groups of 32, a scale for each 16; value = (scale·s)·(n − 32).
pub(super) fn q6_k(block: &[u8; 210], values: &mut [f32; 256]) {
    let scale = half(&block[208..]);
    for (half, values) in values.chunks_exact_mut(128).enumerate() {
        let low = &block[64 * half..][..64];
        let high = &block[128 + 32 * half..][..32];
        let scales = &block[192 + 8 * half..][..8];
        for (index, value) in values.iter_mut().enumerate() {
            let (group, place) = (index / 32, index % 32);
            let nibble = low[group % 2 * 32 + place] >> (group / 2 * 4) & 15;
            let quant = nibble | (high[place] >> (group * 2) & 3) << 4;
            let scale = scale * f32::from(scales[index / 16].cast_signed());
            *value = scale * (f32::from(quant) - 32.0);
        }
    }
}
