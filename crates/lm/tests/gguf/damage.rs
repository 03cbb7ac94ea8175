//! No damage to a file makes opening it, or reading from it, panic.

use proptest::prelude::*;

use super::tiny;

/// Opens `bytes` and reads everything; errors are as good as success.
fn survive(bytes: &[u8]) {
    let Ok(checkpoint) = tiny::open(bytes) else { return };
    for name in checkpoint.store.tensors().keys() {
        let _ = checkpoint.store.read(name);
        let _ = checkpoint.store.read_rows(name, 0..1);
    }
    let _ = checkpoint.tokenizer.encode("the <s> end", true);
    let _ = lm::Model::new(checkpoint, compute::Precision::F32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flipped_bytes(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = tiny::file().bytes();
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        survive(&bytes);
    }

    #[test]
    fn flipped_bits_of_the_header(place in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = tiny::file().bytes();
        let header = bytes.len() - bytes.len() / 2;
        bytes[place.index(header)] ^= 1u8 << bit;
        survive(&bytes);
    }

    #[test]
    fn flipped_bytes_of_sentencepiece(place in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = tiny::sentencepiece().bytes();
        let header = bytes.len() / 2;
        bytes[place.index(header)] = value;
        survive(&bytes);
    }

    #[test]
    fn cut_files(place in any::<prop::sample::Index>()) {
        let bytes = tiny::file().bytes();
        survive(&bytes[..place.index(bytes.len())]);
    }
}
