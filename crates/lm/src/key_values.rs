//! The key-value cache of one sequence in one block.

use std::cell::Cell;

use compute::{MatrixRef, Precision};
use half::bf16;

/// Keys and values of one sequence in one block, `[tokens, kv_heads · head_dim]` each.
///
/// A model that runs in [`Precision::Bf16`] produces keys and values that are bf16 numbers already,
/// so they are stored as such: half the memory, the same results.
#[derive(Clone, Debug)]
pub struct KeyValues {
    keys: Store,
    values: Store,
    width: usize,
    tokens: usize,
}

/// Values in the form they are kept in.
#[derive(Clone, Debug)]
enum Store {
    Single(Vec<f32>),
    Half(Vec<bf16>),
}

thread_local! {
    /// Room to widen stored keys and values into, used again from call to call. It is taken out
    /// while it is used: work that a thread picks up meanwhile finds an empty one.
    static ROOM: Cell<[Vec<f32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

impl KeyValues {
    /// Room for `tokens` tokens of `width` values each, taken at once.
    pub fn with_capacity(tokens: usize, width: usize, precision: Precision) -> Self {
        let store = || Store::with_capacity(tokens * width, precision);
        Self { keys: store(), values: store(), width, tokens: 0 }
    }

    /// Bytes of one token's keys and values.
    pub fn bytes_per_token(width: usize, precision: Precision) -> u64 {
        let value = match precision {
            Precision::F32 => size_of::<f32>(),
            Precision::Bf16 => size_of::<bf16>(),
        };
        2 * (width * value) as u64
    }

    /// Number of tokens held.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Forgets every token and keeps the room.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.tokens = 0;
    }

    /// Adds the keys and values of the tokens that follow, `[new, width]` each.
    ///
    /// # Panics
    /// When the width is not the cache's.
    pub(crate) fn append(&mut self, keys: MatrixRef<'_>, values: MatrixRef<'_>) {
        assert_eq!((keys.cols(), values.cols()), (self.width, self.width));
        assert_eq!(keys.rows(), values.rows(), "a token has a key and a value");
        self.keys.extend(keys.as_slice());
        self.values.extend(values.as_slice());
        self.tokens += keys.rows();
    }

    /// Runs `work` on all keys and all values, `[tokens, width]` each.
    pub(crate) fn with_views<T>(&self, work: impl FnOnce(MatrixRef<'_>, MatrixRef<'_>) -> T) -> T {
        let mut room = ROOM.take();
        let [keys, values] = &mut room;
        let view = |values| MatrixRef::new(self.tokens, self.width, values);
        let result = work(view(self.keys.widen(keys)), view(self.values.widen(values)));
        ROOM.set(room);
        result
    }
}

impl Store {
    fn with_capacity(values: usize, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Store::Single(Vec::with_capacity(values)),
            Precision::Bf16 => Store::Half(Vec::with_capacity(values)),
        }
    }

    fn clear(&mut self) {
        match self {
            Store::Single(values) => values.clear(),
            Store::Half(values) => values.clear(),
        }
    }

    fn extend(&mut self, new: &[f32]) {
        match self {
            Store::Single(values) => values.extend_from_slice(new),
            Store::Half(values) => values.extend(new.iter().map(|&value| bf16::from_f32(value))),
        }
    }

    fn widen<'a>(&'a self, room: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Store::Single(values) => values,
            Store::Half(values) => {
                room.clear();
                room.extend(values.iter().map(|v| f32::from_bits(u32::from(v.to_bits()) << 16)));
                room
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use compute::Matrix;

    use super::*;

    #[test]
    fn both_forms_give_back_what_was_put_in() {
        for precision in [Precision::F32, Precision::Bf16] {
            let mut held = KeyValues::with_capacity(3, 2, precision);
            let keys = rounded(vec![1.0, -2.5, 0.0, 1e-3], precision);
            let values = rounded(vec![7.0, 0.1, -0.3, 4.0], precision);
            held.append(keys.view_rows(0..1), values.view_rows(0..1));
            held.append(keys.view_rows(1..2), values.view_rows(1..2));
            held.with_views(|found_keys, found_values| {
                assert_eq!(found_keys.to_matrix(), keys);
                assert_eq!(found_values.to_matrix(), values);
            });
            held.clear();
            assert_eq!(held.tokens(), 0);
        }
    }

    fn rounded(mut values: Vec<f32>, precision: Precision) -> Matrix {
        precision.round_slice(&mut values);
        Matrix::from_vec(2, 2, values)
    }

    #[test]
    fn bf16_takes_half_the_room() {
        assert_eq!(KeyValues::bytes_per_token(64, Precision::F32), 512);
        assert_eq!(KeyValues::bytes_per_token(64, Precision::Bf16), 256);
    }
}
