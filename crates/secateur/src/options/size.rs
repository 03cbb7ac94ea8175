//! Amounts of memory as people write them.

use std::{fmt, str::FromStr};

/// A number of bytes, written `8G`, `512MiB` or `1073741824`. Every unit is a power of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// A text that is no amount of memory.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a size above zero such as 8G, 512MiB or 1073741824")]
pub(crate) struct NotASize;

const UNITS: [(&str, u64); 5] =
    [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10), ("", 1)];

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let scale = scale(unit.trim()).ok_or(NotASize)?;
        let bytes = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(scale).ok_or(NotASize)?,
            Err(_) => fraction(number, scale).ok_or(NotASize)?,
        };
        if bytes == 0 { Err(NotASize) } else { Ok(Size(bytes)) }
    }
}

/// The bytes of a unit: `G`, `GB`, `GiB`, `g` …
fn scale(unit: &str) -> Option<u64> {
    let upper = unit.to_ascii_uppercase();
    let prefix = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
    UNITS.iter().find(|(name, _)| *name == prefix).map(|(_, scale)| *scale)
}

fn fraction(number: &str, scale: u64) -> Option<u64> {
    let bytes = number.parse::<f64>().ok()? * scale as f64;
    (bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

impl fmt::Display for Size {
    /// The shortest text that reads back as the same number of bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, scale)| self.0.is_multiple_of(*scale));
        let (name, scale) = whole.unwrap_or(&("", 1));
        write!(f, "{}{name}", self.0 / scale)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("8G", 8 << 30),
            ("512MiB", 512 << 20),
            ("512 mb", 512 << 20),
            ("1.5k", 1536),
            ("1T", 1 << 40),
            ("77", 77),
            ("77B", 77),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "G", "0", "-1G", "8X", "8GiBB", "1e3", "NaN", "99999999999T", "1.2.3M"] {
            assert_eq!(text.parse::<Size>(), Err(NotASize), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_size_reads_back_as_it_was_written(bytes in 1u64..) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = text.parse::<Size>();
        }
    }
}
