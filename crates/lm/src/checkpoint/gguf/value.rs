//! One metadata value, checked when the header is read and decoded when it is asked for.

use super::reader::Reader;
use crate::Result;

/// How deep arrays may nest; the converters in use write none that nest.
const DEEPEST: usize = 3;

/// The type of a metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

/// The types in the order of their codes in a file.
const KINDS: [Kind; 13] = [
    Kind::U8,
    Kind::I8,
    Kind::U16,
    Kind::I16,
    Kind::U32,
    Kind::I32,
    Kind::F32,
    Kind::Bool,
    Kind::Text,
    Kind::Array,
    Kind::U64,
    Kind::I64,
    Kind::F64,
];

impl Kind {
    fn read(reader: &mut Reader<'_>, what: &str) -> Result<Self> {
        let code = reader.u32(what)?;
        let kind = KINDS.get(code as usize).copied();
        kind.ok_or_else(|| {
            reader.problem(format!("{what}: type {code} found, 0 to {} expected", KINDS.len() - 1))
        })
    }

    /// Bytes of one value, where all values of the type are of one size.
    fn size(self) -> Option<u64> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::U16 | Kind::I16 => Some(2),
            Kind::U32 | Kind::I32 | Kind::F32 => Some(4),
            Kind::U64 | Kind::I64 | Kind::F64 => Some(8),
            Kind::Text | Kind::Array => None,
        }
    }
}

/// A number of any of the types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

/// A metadata value, still in the file's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Scalar(Kind, &'a [u8]),
    Text(&'a [u8]),
    /// `count` values of one type, one after the other.
    Array {
        of: Kind,
        count: u64,
        bytes: &'a [u8],
    },
}

impl<'a> Value<'a> {
    /// Reads a type code and the value that follows it.
    pub(super) fn read(reader: &mut Reader<'a>, what: &str) -> Result<Self> {
        let kind = Kind::read(reader, what)?;
        Self::of_kind(kind, reader, what, 0)
    }

    fn of_kind(kind: Kind, reader: &mut Reader<'a>, what: &str, depth: usize) -> Result<Self> {
        match (kind, kind.size()) {
            (kind, Some(size)) => Ok(Value::Scalar(kind, reader.take(size, what)?)),
            (Kind::Array, _) => Self::array(reader, what, depth),
            (_, None) => Ok(Value::Text(reader.text(what)?)),
        }
    }

    /// Walks an array without storing its elements: nothing is sized by the count it claims.
    fn array(reader: &mut Reader<'a>, what: &str, depth: usize) -> Result<Self> {
        if depth >= DEEPEST {
            return Err(reader.problem(format!("{what}: arrays nested deeper than {DEEPEST}")));
        }
        let of = Kind::read(reader, what)?;
        let count = reader.u64(what)?;
        let start = reader.position();
        if let Some(size) = of.size() {
            reader.take(count.saturating_mul(size), what)?;
        } else {
            for _ in 0..count {
                Self::of_kind(of, reader, what, depth + 1)?;
            }
        }
        Ok(Value::Array { of, count, bytes: reader.since(start) })
    }

    /// The value as a number, where it is one.
    pub(super) fn number(self) -> Option<Number> {
        let Value::Scalar(kind, bytes) = self else { return None };
        number(kind, bytes)
    }

    /// The elements of an array of numbers.
    pub(super) fn numbers(self) -> Option<Vec<Number>> {
        let Value::Array { of, bytes, .. } = self else { return None };
        let size = of.size()? as usize;
        bytes.chunks_exact(size).map(|bytes| number(of, bytes)).collect()
    }

    /// What is there, for an error.
    pub(super) fn describe(self) -> String {
        match self {
            Value::Scalar(kind, bytes) => match number(kind, bytes) {
                Some(Number::Whole(value)) => format!("{value} ({kind:?})"),
                Some(Number::Real(value)) => format!("{value} ({kind:?})"),
                None => format!("{} ({kind:?})", bytes[0]),
            },
            Value::Text(bytes) => format!("a text of {} bytes", bytes.len()),
            Value::Array { of, count, .. } => format!("an array of {count} {of:?}"),
        }
    }
}

/// Decodes one number; a float is read as the shortest decimal that stands for it, so that a
/// single-precision 1e-5 is 1e-5.
fn number(kind: Kind, bytes: &[u8]) -> Option<Number> {
    fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    Some(match kind {
        Kind::U8 => Number::Whole(u8::from_le_bytes(fixed(bytes)?).into()),
        Kind::I8 => Number::Whole(i8::from_le_bytes(fixed(bytes)?).into()),
        Kind::U16 => Number::Whole(u16::from_le_bytes(fixed(bytes)?).into()),
        Kind::I16 => Number::Whole(i16::from_le_bytes(fixed(bytes)?).into()),
        Kind::U32 => Number::Whole(u32::from_le_bytes(fixed(bytes)?).into()),
        Kind::I32 => Number::Whole(i32::from_le_bytes(fixed(bytes)?).into()),
        Kind::U64 => Number::Whole(u64::from_le_bytes(fixed(bytes)?).into()),
        Kind::I64 => Number::Whole(i64::from_le_bytes(fixed(bytes)?).into()),
        Kind::F64 => Number::Real(f64::from_le_bytes(fixed(bytes)?)),
        Kind::F32 => {
            let single = f32::from_le_bytes(fixed(bytes)?);
            Number::Real(single.to_string().parse().ok()?)
        }
        Kind::Bool | Kind::Text | Kind::Array => return None,
    })
}
