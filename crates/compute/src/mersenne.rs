//! Python's random numbers: MT19937 (Matsumoto and Nishimura 1998) as the module `random` uses it.
//! Draws that published code makes with it can be repeated number by number.

/// Words of the state.
const STATE: usize = 624;

/// Distance of the words that are combined.
const SHIFT: usize = 397;

/// The generator behind Python's `random.seed(n)`, `getrandbits`, `randint` and `sample`.
#[derive(Clone)]
pub struct Mersenne {
    state: [u32; STATE],
    next: usize,
}

impl Mersenne {
    /// The generator after `random.seed(seed)`.
    pub fn new(seed: u64) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        let used = if key[1] == 0 { 1 } else { 2 };
        Self { state: from_key(&key[..used]), next: STATE }
    }

    /// The next 32 bits.
    fn word(&mut self) -> u32 {
        if self.next == STATE {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for place in 0..STATE {
            let mixed =
                (self.state[place] & 0x8000_0000) | (self.state[(place + 1) % STATE] & 0x7FFF_FFFF);
            let odd = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[place] = self.state[(place + SHIFT) % STATE] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// `random.getrandbits(count)`, `count` from 1 to 64.
    fn bits(&mut self, count: u32) -> u64 {
        if count <= 32 {
            return u64::from(self.word() >> (32 - count));
        }
        let low = u64::from(self.word());
        low | u64::from(self.word() >> (64 - count)) << 32
    }

    /// `random.randint(0, bound - 1)`: uniform in `0 .. bound`.
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no numbers");
        let count = u64::BITS - bound.leading_zeros();
        loop {
            let drawn = self.bits(count);
            if drawn < bound {
                return drawn;
            }
        }
    }

    /// `random.sample(range(count), chosen)`: different numbers below `count` in the order they are
    /// drawn.
    ///
    /// # Panics
    /// When `chosen` is larger than `count`.
    pub fn sample(&mut self, count: usize, chosen: usize) -> Vec<usize> {
        assert!(chosen <= count, "{chosen} of {count} cannot be chosen");
        if count <= pool_size(chosen) {
            let mut pool: Vec<usize> = (0..count).collect();
            let draw = |at: usize| {
                let place = self.below((count - at) as u64) as usize;
                let drawn = pool[place];
                pool[place] = pool[count - at - 1];
                drawn
            };
            return (0..chosen).map(draw).collect();
        }
        let mut drawn = Vec::with_capacity(chosen);
        while drawn.len() < chosen {
            let number = self.below(count as u64) as usize;
            if !drawn.contains(&number) {
                drawn.push(number);
            }
        }
        drawn
    }
}

/// The most numbers that Python's `sample` keeps in a list rather than those it has drawn in a set.
fn pool_size(chosen: usize) -> usize {
    let table =
        |chosen: usize| (0..).map(|power| 1usize << (2 * power)).find(|&size| size >= 3 * chosen);
    21 + if chosen > 5 { table(chosen).unwrap_or(0) } else { 0 }
}

/// The state after `init_genrand(19650218)` and `init_by_array(key)`.
fn from_key(key: &[u32]) -> [u32; STATE] {
    let mut state = [0u32; STATE];
    state[0] = 19_650_218;
    for place in 1..STATE {
        state[place] = spread(state[place - 1], 1_812_433_253).wrapping_add(place as u32);
    }
    let (mut place, mut at) = (1, 0);
    for _ in 0..STATE.max(key.len()) {
        let mixed = state[place] ^ spread(state[place - 1], 1_664_525);
        state[place] = mixed.wrapping_add(key[at]).wrapping_add(at as u32);
        place = forward(&mut state, place);
        at = (at + 1) % key.len();
    }
    for _ in 1..STATE {
        let mixed = state[place] ^ spread(state[place - 1], 1_566_083_941);
        state[place] = mixed.wrapping_sub(place as u32);
        place = forward(&mut state, place);
    }
    state[0] = 0x8000_0000;
    state
}

fn spread(word: u32, factor: u32) -> u32 {
    (word ^ (word >> 30)).wrapping_mul(factor)
}

/// The next place; the first word is that of the last place when a round is over.
fn forward(state: &mut [u32; STATE], place: usize) -> usize {
    if place + 1 < STATE {
        return place + 1;
    }
    state[0] = state[STATE - 1];
    1
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn numbers_are_those_of_python() {
        let golden = include_str!("../tests/goldens/python_random.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let numbers = |value: &Value| -> Vec<u64> {
            value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
        };
        let cases = golden["random"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let seed = case["seed"].as_u64().unwrap();
            let mut random = Mersenne::new(seed);
            let words: Vec<u64> = (0..3).map(|_| random.word().into()).collect();
            assert_eq!(words, numbers(&case["words"]), "seed {seed}");
            let bits = [1, 7, 31, 33, 64].map(|count| random.bits(count));
            assert_eq!(bits[..], numbers(&case["bits"]), "seed {seed}");
            let bounds = [0, 1, 9, 355, 356_316, 1 << 31, 1 << 32, 1u64 << 40];
            let integers = bounds.map(|most| random.below(most + 1));
            assert_eq!(integers[..], numbers(&case["integers"]), "seed {seed}");
            let mut random = Mersenne::new(seed);
            let late = (0..=1000).map(|_| random.word()).last().unwrap();
            assert_eq!(u64::from(late), case["late"].as_u64().unwrap(), "seed {seed}");
        }
        for case in golden["samples"].as_array().unwrap() {
            let [seed, count, chosen] =
                ["seed", "count", "chosen"].map(|name| case[name].as_u64().unwrap());
            let mut random = Mersenne::new(seed);
            for expected in case["draws"].as_array().unwrap() {
                let drawn = random.sample(count as usize, chosen as usize);
                let drawn: Vec<u64> = drawn.into_iter().map(|number| number as u64).collect();
                assert_eq!(drawn, numbers(expected), "{chosen} of {count}, seed {seed}");
            }
        }
    }
}
