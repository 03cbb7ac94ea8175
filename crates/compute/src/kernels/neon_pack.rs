//! Rows and panels for NEON.

use std::arch::aarch64::{vld1q_u32, vst1q_u32, vzip1q_u32, vzip2q_u32};

use super::Line;

/// The columns of a square of words.
#[target_feature(enable = "neon")]
pub(super) fn transpose(square: &[[u32; 16]; 16]) -> [Line; 16] {
    let mut lines = [Line::ZERO; 16];
    for (row, column) in (0..16).step_by(4).flat_map(|r| (0..16).step_by(4).map(move |c| (r, c))) {
        // SAFETY: four words from `column` on are in every row, from `row` on in every line.
        unsafe {
            let part = |index: usize| vld1q_u32(square[row + index][column..].as_ptr());
            // Rows two apart interleaved word by word, twice: every word comes to its place.
            let (even, odd) = ((part(0), part(2)), (part(1), part(3)));
            let low = (vzip1q_u32(even.0, even.1), vzip1q_u32(odd.0, odd.1));
            let high = (vzip2q_u32(even.0, even.1), vzip2q_u32(odd.0, odd.1));
            let turned = [
                vzip1q_u32(low.0, low.1),
                vzip2q_u32(low.0, low.1),
                vzip1q_u32(high.0, high.1),
                vzip2q_u32(high.0, high.1),
            ];
            for (line, words) in lines[column..].iter_mut().zip(turned) {
                vst1q_u32(line.0[row..].as_mut_ptr(), words);
            }
        }
    }
    lines
}
