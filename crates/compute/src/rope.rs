//! Rotary position embedding.

use std::sync::{Arc, RwLock};

use rayon::prelude::*;

use crate::kernels::for_each_level;
use crate::precision::PIECE;
use crate::{KernelLevel, Matrix, Precision};

/// Rotary position embedding in the half-split layout of Hugging Face checkpoints: dimension `i` is
/// rotated with dimension `i + head_dim / 2`.
///
/// The cosines and sines of the positions met are kept: 8 bytes per position and pair.
#[derive(Debug)]
pub struct Rope {
    inverse_frequencies: Vec<f32>,
    attention_factor: f32,
    angles: RwLock<Arc<Angles>>,
}

/// Cosines, then sines, of the positions from 0: `[positions, 2, head_dim / 2]`.
#[derive(Debug, Default)]
struct Angles {
    positions: usize,
    values: Vec<f32>,
}

impl Rope {
    /// One inverse frequency per pair of dimensions (`[head_dim / 2]`); `attention_factor` scales
    /// both sine and cosine (1 unless a scaling rule says otherwise).
    pub fn new(inverse_frequencies: Vec<f32>, attention_factor: f32) -> Self {
        Self { inverse_frequencies, attention_factor, angles: RwLock::default() }
    }

    /// Rotates every head of `x` (`[tokens, heads · head_dim]`) in place; `positions` has one
    /// entry per token.
    ///
    /// # Panics
    /// When there is not one position per token.
    pub fn rotate(&self, x: &mut Matrix, positions: &[usize], precision: Precision) {
        assert_eq!(positions.len(), x.rows(), "one position per token");
        let (level, width) = (KernelLevel::active(), x.cols().max(1));
        let angles = self.angles(positions.iter().map(|position| position + 1).max().unwrap_or(0));
        let rows = (PIECE / width).max(1);
        let pieces = x.as_mut_slice().par_chunks_mut(rows * width);
        pieces.zip(positions.par_chunks(rows)).for_each(|(x, positions)| match precision {
            Precision::F32 => rotate_full(level, (x, width), positions, &angles),
            Precision::Bf16 => rotate_bf16(level, (x, width), positions, &angles),
        });
    }

    /// The angles of at least `positions` positions.
    fn angles(&self, positions: usize) -> Arc<Angles> {
        let known = self.angles.read().expect("no thread panics with the lock").clone();
        if known.positions >= positions {
            return known;
        }
        let positions = positions.next_power_of_two();
        let mut values = vec![0.0; positions * 2 * self.inverse_frequencies.len()];
        let one = (2 * self.inverse_frequencies.len()).max(1);
        values.par_chunks_mut(one).enumerate().for_each(|(position, values)| {
            let (cosines, sines) = values.split_at_mut(self.inverse_frequencies.len());
            for (pair, frequency) in self.inverse_frequencies.iter().enumerate() {
                let angle = position as f32 * frequency;
                cosines[pair] = angle.cos() * self.attention_factor;
                sines[pair] = angle.sin() * self.attention_factor;
            }
        });
        let angles = Arc::new(Angles { positions, values });
        *self.angles.write().expect("no thread panics with the lock") = angles.clone();
        angles
    }
}

impl Clone for Rope {
    fn clone(&self) -> Self {
        let angles = self.angles(0);
        let inverse_frequencies = self.inverse_frequencies.clone();
        Self { inverse_frequencies, angles: RwLock::new(angles), ..*self }
    }
}

impl PartialEq for Rope {
    fn eq(&self, other: &Self) -> bool {
        self.inverse_frequencies == other.inverse_frequencies
            && self.attention_factor == other.attention_factor
    }
}

/// Rows and their width.
type Rows<'a> = (&'a mut [f32], usize);

for_each_level! { fn rotate_full(x: Rows<'_>, positions: &[usize], angles: &Angles) = full_body }
for_each_level! { fn rotate_bf16(x: Rows<'_>, positions: &[usize], angles: &Angles) = bf16_body }

#[inline(always)]
fn full_body<const FUSED: bool>(x: Rows<'_>, positions: &[usize], angles: &Angles) {
    rotate(x, positions, angles, Precision::F32);
}

#[inline(always)]
fn bf16_body<const FUSED: bool>(x: Rows<'_>, positions: &[usize], angles: &Angles) {
    rotate(x, positions, angles, Precision::Bf16);
}

#[inline(always)]
fn rotate((x, width): Rows<'_>, positions: &[usize], angles: &Angles, precision: Precision) {
    let pair = angles.values.len() / angles.positions.max(1);
    if pair == 0 {
        return;
    }
    let round = |value| precision.round(value);
    for (x, &position) in x.chunks_exact_mut(width).zip(positions) {
        let (cosines, sines) = angles.values[position * pair..][..pair].split_at(pair / 2);
        for head in x.chunks_exact_mut(pair) {
            let (low, high) = head.split_at_mut(pair / 2);
            let angles = cosines.iter().zip(sines);
            for ((low, high), (&cosine, &sine)) in low.iter_mut().zip(high).zip(angles) {
                let (a, b, cosine, sine) = (*low, *high, round(cosine), round(sine));
                *low = round(round(a * cosine) + round(-b * sine));
                *high = round(round(b * cosine) + round(a * sine));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bits, in_pool, random};

    fn rope(half: usize) -> Rope {
        let frequency = |i: usize| (1e4f64.powf(-(i as f64) / half as f64)) as f32;
        Rope::new((0..half).map(frequency).collect(), 1.25)
    }

    #[test]
    fn equals_its_f64_twin_and_is_the_same_at_every_level() {
        for (heads, half) in [(1, 1), (3, 7), (2, 32), (5, 33)] {
            let (x, rope) = (random(21, heads * 2 * half, 1), rope(half));
            let positions: Vec<usize> = (0..21).map(|i| i * 37 % 100).collect();
            let mut expected = x.clone();
            rope.rotate(&mut expected, &positions, Precision::F32);
            for (row, &position) in positions.iter().enumerate() {
                for (column, &y) in expected.row(row).iter().enumerate() {
                    let (start, pair) = (column / (2 * half) * 2 * half, column % half);
                    let angle = f64::from(position as f32 * rope.inverse_frequencies[pair]);
                    let (a, b) = (x.row(row)[start + pair], x.row(row)[start + pair + half]);
                    let (a, b) = (f64::from(a) * 1.25, f64::from(b) * 1.25);
                    let low = column % (2 * half) < half;
                    let (sine, cosine) = angle.sin_cos();
                    let twin = if low { a * cosine - b * sine } else { b * cosine + a * sine };
                    assert!((f64::from(y) - twin).abs() < 6e-7);
                }
            }
            for level in KernelLevel::available() {
                let mut y = x.clone();
                let angles = rope.angles(100);
                rotate_full(level, (y.as_mut_slice(), x.cols()), &positions, &angles);
                assert_eq!(bits(y.as_slice()), bits(expected.as_slice()), "{level}");
            }
        }
    }

    #[test]
    fn threads_batches_and_what_came_before_do_not_matter() {
        let x = random(300, 192, 1);
        let positions: Vec<usize> = (700..1000).collect();
        for precision in [Precision::F32, Precision::Bf16] {
            let mut all = x.clone();
            in_pool(5, || rope(32).rotate(&mut all, &positions, precision));
            let shared = rope(32);
            for row in [0, 150, 299] {
                let mut one = x.view_rows(row..row + 1).to_matrix();
                shared.rotate(&mut one, &positions[row..row + 1], precision);
                assert_eq!(bits(one.as_slice()), bits(all.row(row)));
            }
        }
    }
}
