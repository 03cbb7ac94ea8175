//! The header of a safetensors file: eight bytes of length, JSON, then the values.
//!
//! Source: the format's description in the `safetensors` repository.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Dtype, TensorInfo};

/// The longest header that is read, in bytes: the limit of the format's own library.
const LONGEST_HEADER: u64 = 100_000_000;
/// Bytes that hold the header's length.
const LENGTH_BYTES: usize = 8;
/// The header's entry that is not a tensor.
const METADATA: &str = "__metadata__";

/// What a header says of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) info: TensorInfo,
    /// Where its values are in the file.
    pub(super) bytes: Range<usize>,
}

/// Why a header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The file is not a well-formed safetensors file.
    Malformed(String),
    /// The file is well-formed and holds a type of value that is not read.
    Dtype { tensor: String, dtype: String },
}

/// Reads the header of `file`, a whole safetensors file; the entries are in the order of their
/// values, which fill the file without a gap.
pub(super) fn parse(file: &[u8]) -> Result<Vec<Entry>, Problem> {
    let (json, start) = json(file)?;
    let raw: RawHeader = serde_json::from_slice(json)
        .map_err(|error| malformed(format!("its header is not valid: {error}")))?;
    let mut entries = Vec::with_capacity(raw.0.len());
    for (name, tensor) in raw.0 {
        entries.push(entry(name, &tensor)?);
    }
    entries.sort_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    covered(&entries, file.len() - start)?;
    for entry in &mut entries {
        entry.bytes = entry.bytes.start + start..entry.bytes.end + start;
    }
    Ok(entries)
}

fn malformed(problem: impl Into<String>) -> Problem {
    Problem::Malformed(problem.into())
}

/// The header's JSON and where the values start.
fn json(file: &[u8]) -> Result<(&[u8], usize), Problem> {
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        let problem = format!("truncated: {} bytes, a safetensors file has 8 or more", file.len());
        return Err(malformed(problem));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        return Err(malformed(format!(
            "its header is said to be {length} bytes long, at most {LONGEST_HEADER} are read; \
             this is no safetensors file, or a damaged one"
        )));
    }
    let length = length as usize;
    let json = rest.get(..length).ok_or_else(|| {
        let left = rest.len();
        malformed(format!("truncated: a header of {length} bytes expected, {left} bytes left"))
    })?;
    Ok((json, LENGTH_BYTES + length))
}

/// One tensor, with its place relative to the first value.
fn entry(name: String, raw: &RawTensor) -> Result<Entry, Problem> {
    let dtype = match raw.dtype.as_str() {
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        other => return Err(Problem::Dtype { tensor: name, dtype: other.into() }),
    };
    let problem = |problem: String| malformed(format!("tensor {name}: {problem}"));
    let shape = &raw.shape;
    let size = shape.iter().try_fold(dtype.size() as u64, |size, &side| size.checked_mul(side));
    let size = size.ok_or_else(|| problem(format!("the shape {shape:?} is too large")))?;
    let [start, end] = raw.data_offsets;
    let Some(length) = end.checked_sub(start) else {
        return Err(problem(format!("its values end at byte {end}, before their start, {start}")));
    };
    if length != size {
        return Err(problem(format!(
            "the shape {shape:?} of {} takes {size} bytes, its offsets {start}..{end} hold {length}",
            raw.dtype
        )));
    }
    let whole = |number: u64| {
        usize::try_from(number).map_err(|_| problem(format!("{number} is too large")))
    };
    let shape = shape.iter().map(|&side| whole(side)).collect::<Result<_, _>>()?;
    let bytes = whole(start)?..whole(end)?;
    Ok(Entry { info: TensorInfo { dtype, shape }, bytes, name })
}

/// Checks that `entries`, sorted, take each of `length` bytes exactly once.
fn covered(entries: &[Entry], length: usize) -> Result<(), Problem> {
    let mut end = 0;
    let mut previous = "the header";
    for Entry { name, bytes, .. } in entries {
        let start = bytes.start;
        if bytes.end > length {
            let problem = format!("its values end at byte {}, the file at {length}", bytes.end);
            return Err(malformed(format!("truncated: tensor {name}: {problem}")));
        }
        if start < end {
            return Err(malformed(format!("the values of {name} and {previous} overlap")));
        }
        if start > end {
            let gap = start - end;
            return Err(malformed(format!("{gap} unused bytes between {previous} and {name}")));
        }
        (end, previous) = (bytes.end, name);
    }
    match length - end {
        0 => Ok(()),
        unused => Err(malformed(format!("{unused} unused bytes after {previous}"))),
    }
}

/// The tensors of a header, in its order.
struct RawHeader(Vec<(String, RawTensor)>);

#[derive(Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = RawHeader;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut tensors = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format!("{name:?} occurs twice")));
                    }
                    if name == METADATA {
                        map.next_value::<std::collections::HashMap<String, String>>()?;
                    } else {
                        let NamedTensor(tensor) = map.next_value()?;
                        tensors.push((name, tensor));
                    }
                }
                Ok(RawHeader(tensors))
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

/// A tensor's entry: an object only, where a derived reader takes an array as well.
struct NamedTensor(RawTensor);

impl<'de> Deserialize<'de> for NamedTensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = NamedTensor;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a tensor with dtype, shape and data_offsets")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NamedTensor, A::Error> {
                RawTensor::deserialize(MapAccessDeserializer::new(map)).map(NamedTensor)
            }
        }
        deserializer.deserialize_map(Object)
    }
}
