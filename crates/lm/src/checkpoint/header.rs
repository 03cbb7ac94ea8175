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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with the header `json` and `values` bytes behind it.
    fn file(json: &str, values: usize) -> Vec<u8> {
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend(json.as_bytes());
        file.resize(file.len() + values, 0);
        file
    }

    fn tensor(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{offsets}]}}"#)
    }

    /// The problem of a header that holds `tensors`, with 16 bytes of values.
    fn problem(tensors: &[String]) -> String {
        match parse(&file(&format!("{{{}}}", tensors.join(",")), 16)) {
            Err(Problem::Malformed(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tensors_come_in_the_order_of_their_values() {
        let tensors = [tensor("b", "F32", "2,1", "8,16"), tensor("a", "BF16", "4", "0,8")];
        let json = format!(r#"{{"__metadata__":{{"format":"pt"}},{}}}"#, tensors.join(","));
        let start = 8 + json.len();
        let entries = parse(&file(&json, 16)).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(entries[0].bytes, start..start + 8);
        assert_eq!(entries[1].info, TensorInfo { dtype: Dtype::F32, shape: vec![2, 1] });
        assert_eq!(parse(&file("{}", 0)), Ok(Vec::new()));
    }

    #[test]
    fn the_values_are_covered_exactly_once() {
        let a = tensor("a", "F32", "2", "0,8");
        let refused = [
            (vec![a.clone(), tensor("b", "F32", "3", "4,16")], "the values of b and a overlap"),
            (vec![a.clone(), tensor("b", "F32", "2", "0,8")], "the values of b and a overlap"),
            (vec![a.clone(), tensor("b", "F32", "1", "12,16")], "4 unused bytes between a and b"),
            (vec![tensor("b", "F32", "2", "8,16")], "8 unused bytes between the header and b"),
            (vec![a.clone()], "8 unused bytes after a"),
            (vec![], "16 unused bytes after the header"),
            (
                vec![a.clone(), tensor("b", "F32", "3", "8,20")],
                "truncated: tensor b: its values end at byte 20, the file at 16",
            ),
            (vec![a.clone(), a], "\"a\" occurs twice"),
        ];
        for (tensors, expected) in refused {
            let problem = problem(&tensors);
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_shapes() {
        let huge = "9223372036854775807,9223372036854775807";
        let refused = [
            (tensor("a", "F32", "3", "0,16"), "the shape [3] of F32 takes 12 bytes"),
            (tensor("a", "F32", "4", "16,0"), "its values end at byte 0, before their start, 16"),
            (tensor("a", "F32", huge, "0,16"), "is too large"),
            (tensor("a", "F16", "0", "0,16"), "the shape [0] of F16 takes 0 bytes"),
            (tensor("a", "F32", "-4", "0,16"), "not valid"),
            (tensor("a", "F32", "4.0", "0,16"), "not valid"),
            (tensor("a", "F32", "4", "0,16,32"), "not valid"),
            (tensor("a", "F32", "4", "0,99999999999999999999"), "not valid"),
            (r#""a":["F32",[4],[0,16]]"#.into(), "a tensor with dtype, shape and data_offsets"),
            (r#""a":{"dtype":"F32"}"#.into(), "missing field `shape`"),
            (r#""__metadata__":{"format":1}"#.into(), "not valid"),
        ];
        for (tensor, expected) in refused {
            let problem = problem(&[tensor]);
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let length = |length: u64| length.to_le_bytes().to_vec();
        let refused = [
            (Vec::new(), "truncated: 0 bytes"),
            (vec![0; 7], "truncated: 7 bytes"),
            (length(3), "truncated: a header of 3 bytes expected, 0 bytes left"),
            (length(u64::MAX), "18446744073709551615 bytes long"),
            (length(100_000_001), "at most 100000000"),
            (file("", 0), "not valid"),
            (file("[]", 0), "an object of tensors"),
            (file("{", 0), "not valid"),
            (file("{}{}", 0), "not valid"),
            (file(&"[".repeat(10_000), 0), "not valid"),
        ];
        for (bytes, expected) in refused {
            let Err(Problem::Malformed(problem)) = parse(&bytes) else { panic!("{expected}") };
            assert!(problem.contains(expected), "{problem}");
        }
    }

    /// A small file, well-formed.
    fn sound() -> Vec<u8> {
        let tensors = [tensor("one", "F32", "2", "0,8"), tensor("two", "F16", "2,2", "8,16")];
        file(&format!("{{{}}}", tensors.join(",")), 16)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whatever becomes of a file, reading it does not panic, and what is taken is taken by the
        /// format's own library with the same places.
        #[test]
        fn damaged_files_are_read_or_refused(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = sound();
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            if let Ok(entries) = parse(&bytes) {
                let library = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
                prop_assert_eq!(library.len(), entries.len());
                for entry in entries {
                    let tensor = library.tensor(&entry.name).unwrap();
                    prop_assert_eq!(tensor.data(), &bytes[entry.bytes]);
                    prop_assert_eq!(tensor.shape(), entry.info.shape);
                }
            }
        }
    }
}
