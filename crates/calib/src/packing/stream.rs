//! Windows at random places of one stream.

use compute::Stream;
use lm::{Observer, Tokenizer};

use super::Packed;
use crate::{Error, Origin, Result, pool::Pool, recipe::Windows, tokens::Encoder};

/// What stands between documents in a stream.
pub(crate) const SEPARATOR: &str = "\n\n";

/// Joins `documents`, called `what` in messages, and cuts windows at random places of their tokens.
///
/// # Errors
/// When they have fewer tokens than a window, or the tokenizer fails.
pub(super) fn of_documents(
    (documents, what): (&Pool, &str),
    tokenizer: &Tokenizer,
    windows: Windows,
    observer: &dyn Observer,
) -> Result<Packed> {
    let mut encoder = Encoder::new(tokenizer);
    observer.started("tokenising documents", documents.len() as u64);
    for index in 0..documents.len() {
        observer.check()?;
        if index > 0 {
            encoder.push(SEPARATOR)?;
        }
        encoder.push(&documents.text(index)?)?;
        observer.advanced(1);
    }
    observer.finished();
    let tokens = encoder.finish()?;
    pack(tokens.len(), windows, what, |start| tokens.window(start, windows.length))
}

/// Cuts windows at random places of `total` tokens; `window` gives that which begins at a place.
///
/// # Errors
/// When there are fewer tokens than a window has, or `window` fails.
fn pack(
    total: usize,
    windows: Windows,
    what: &str,
    window: impl Fn(usize) -> Result<Vec<u32>>,
) -> Result<Packed> {
    let Windows { samples, length, seed } = windows;
    if total < length {
        return Err(Error::TooShort {
            what: what.into(),
            found: total,
            needed: length,
            hint: format!(
                "give more text ({} tokens fill {samples} windows of {length}), or a smaller length",
                samples * length
            ),
        });
    }
    let places = (total - length + 1) as u64;
    let place = |sample: usize| Stream::new(seed, sample as u64).below(0, places) as usize;
    let offsets: Vec<usize> = (0..samples).map(place).collect();
    let mut notes = Vec::new();
    if total < samples * length {
        notes.push(format!(
            "{what}: {total} tokens of text for {samples} windows of {length}: windows overlap"
        ));
    }
    Ok(Packed {
        sequences: offsets.iter().map(|&start| window(start)).collect::<Result<_>>()?,
        origins: offsets.into_iter().map(|offset| Origin::Stream { offset }).collect(),
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(tokens: &[u32], windows: Windows, what: &str) -> Result<Packed> {
        let window = |start: usize| Ok(tokens[start..start + windows.length].to_vec());
        super::pack(tokens.len(), windows, what, window)
    }

    proptest! {
        #[test]
        fn windows_are_exact_pieces_of_the_stream(
            total in 4usize..400, length in 2usize..64, samples in 1usize..20, seed: u64,
        ) {
            let tokens: Vec<u32> = (0..total as u32).collect();
            let windows = Windows { samples, length, seed };
            let packed = pack(&tokens, windows, "numbers");
            if total < length {
                let message = packed.err().unwrap().to_string();
                let counts = format!("{total} tokens found, at least {length} needed");
                prop_assert!(message.contains(&counts));
                return Ok(());
            }
            let packed = packed.unwrap();
            prop_assert_eq!(packed.sequences.len(), samples);
            for (sequence, origin) in packed.sequences.iter().zip(&packed.origins) {
                let Origin::Stream { offset } = origin else { panic!("a stream") };
                prop_assert_eq!(&tokens[*offset..offset + length], &sequence[..]);
            }
            // The first windows of a larger draw are the windows of a smaller one.
            let more = pack(&tokens, Windows { samples: samples + 3, ..windows }, "").unwrap();
            prop_assert_eq!(&more.sequences[..samples], &packed.sequences[..]);
            prop_assert_eq!(packed.notes.is_empty(), total >= samples * length);
        }
    }

    #[test]
    fn every_place_is_drawn_about_equally_often() {
        let tokens: Vec<u32> = (0..12).collect();
        let windows = Windows { samples: 9000, length: 4, seed: 5 };
        let mut counts = [0usize; 9];
        for sequence in pack(&tokens, windows, "numbers").unwrap().sequences {
            counts[sequence[0] as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
