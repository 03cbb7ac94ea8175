//! Counter-based random numbers: a draw is a function of its key, never of the order of draws.

/// Mixes 64 bits (the finaliser of SplitMix64, Steele et al. 2014).
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A stream of random numbers keyed by `(seed, stream)`; draw `position` is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
}

impl Stream {
    /// The stream `stream` of `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let key = mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
        Self { key: mix(key ^ mix(stream.wrapping_add(0x632B_E59B_D9B4_E019))) }
    }

    /// 64 random bits.
    pub fn bits(&self, position: u64) -> u64 {
        mix(self.key.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn uniform(&self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0 .. bound`.
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&self, position: u64, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no numbers");
        ((u128::from(self.bits(position)) * u128::from(bound)) >> 64) as u64
    }
}
