//! The header of a GGUF file: metadata and where the tensors lie.
//!
//! Source of the layout: `docs/gguf.md` of ggml.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use super::metadata::Metadata;
use super::reader::Reader;
use super::storage::Storage;
use crate::{Error, Result};

/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
const MOST_DIMENSIONS: u32 = 4;

/// Multiple of bytes at which tensors begin, where the metadata does not say.
const DEFAULT_ALIGNMENT: u64 = 32;

/// Largest alignment accepted: a page of the largest common size.
const LARGEST_ALIGNMENT: u64 = 1 << 21;

/// What a file holds, checked against its length.
pub(super) struct Header<'a> {
    pub(super) metadata: Metadata<'a>,
    /// In the order of their bytes in the file.
    pub(super) tensors: Vec<Stored>,
}

/// A tensor as the file holds it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its name in the file.
    pub(super) name: String,
    /// Its shape, outermost dimension first.
    pub(super) shape: Vec<usize>,
    pub(super) storage: Storage,
    /// Where its bytes are in the file.
    pub(super) bytes: Range<usize>,
}

impl<'a> Header<'a> {
    /// Reads the header of the file `bytes`.
    pub(super) fn read(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(path, bytes);
        magic_and_version(path, &mut reader)?;
        let tensor_count = reader.u64("the number of tensors")?;
        let pair_count = reader.u64("the number of metadata pairs")?;
        let metadata = Metadata::read(path, &mut reader, pair_count)?;
        let alignment = alignment(&metadata)?;
        let (mut tensors, mut names) = (Vec::new(), HashSet::new());
        for index in 0..tensor_count {
            let tensor = tensor_info(&mut reader, index, alignment)?;
            if !names.insert(tensor.name.clone()) {
                return Err(Error::tensor(tensor.name, "listed twice in the header"));
            }
            tensors.push(tensor);
        }
        let start = reader.position().next_multiple_of(alignment as usize);
        place(&mut tensors, start, bytes.len())?;
        Ok(Self { metadata, tensors })
    }
}

fn magic_and_version(path: &Path, reader: &mut Reader<'_>) -> Result<()> {
    let magic = reader.take(4, "the signature")?;
    if magic != b"GGUF" {
        let found = magic.escape_ascii();
        return Err(reader.problem(format!("not a GGUF file: it begins with \"{found}\"")));
    }
    let version = reader.u32("the version")?;
    let problem = match version {
        2 | 3 => return Ok(()),
        1 => "version 1 of GGUF".to_owned(),
        _ if version.swap_bytes() <= 3 => "a big-endian GGUF file".to_owned(),
        _ => format!("version {version} of GGUF"),
    };
    Err(Error::Unsupported {
        what: format!("{}: {problem}", path.display()),
        hint: "little-endian GGUF 2 or 3 is read; convert the original checkpoint again with a \
               current converter"
            .into(),
    })
}

fn alignment(metadata: &Metadata<'_>) -> Result<u64> {
    const KEY: &str = "general.alignment";
    let alignment = metadata.whole(KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > LARGEST_ALIGNMENT {
        let problem =
            format!("{alignment} found, a power of two up to {LARGEST_ALIGNMENT} expected");
        return Err(metadata.problem(KEY, problem));
    }
    Ok(alignment)
}

/// Reads one tensor's entry; its bytes are given relative to where tensors begin.
fn tensor_info(reader: &mut Reader<'_>, index: u64, alignment: u64) -> Result<Stored> {
    let name = reader.name(&format!("the name of tensor {index}"))?.to_owned();
    let what = format!("the entry of tensor {name}");
    let shape = shape(reader, &name, &what)?;
    let storage = Storage::from_code(reader.u32(&what)?, &name)?;
    let offset = reader.u64(&what)?;
    if offset % alignment != 0 {
        let problem = format!("begins at byte {offset}, not a multiple of {alignment}");
        return Err(Error::tensor(name, problem));
    }
    let length = bytes_of(&shape, storage)
        .map_err(|problem| Error::tensor(&name, format!("shape {shape:?}: {problem}")))?;
    let start = usize::try_from(offset).ok();
    let end = start.and_then(|start| start.checked_add(length));
    let (Some(start), Some(end)) = (start, end) else {
        return Err(Error::tensor(name, format!("begins at byte {offset}, beyond any file")));
    };
    Ok(Stored { name, shape, storage, bytes: start..end })
}

/// The dimensions, which the file lists innermost first.
fn shape(reader: &mut Reader<'_>, name: &str, what: &str) -> Result<Vec<usize>> {
    let count = reader.u32(what)?;
    if !(1..=MOST_DIMENSIONS).contains(&count) {
        let problem = format!("{count} dimensions found, 1 to {MOST_DIMENSIONS} expected");
        return Err(Error::tensor(name, problem));
    }
    let mut shape = Vec::new();
    for _ in 0..count {
        let size = reader.u64(what)?;
        let usable = usize::try_from(size).ok().filter(|size| *size > 0);
        shape.push(
            usable.ok_or_else(|| Error::tensor(name, format!("a dimension of {size} found")))?,
        );
    }
    shape.reverse();
    Ok(shape)
}

/// Bytes of a tensor in the file, or why there can be no such tensor.
fn bytes_of(shape: &[usize], storage: Storage) -> std::result::Result<usize, String> {
    let block = storage.block_values();
    let columns = shape[shape.len() - 1];
    if !columns.is_multiple_of(block) {
        return Err(format!("rows of {columns} values do not divide into blocks of {block}"));
    }
    let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    // Twice over, so that the dequantised values can be counted in bytes too.
    let elements = elements.filter(|elements| elements.checked_mul(8).is_some());
    let bytes = elements.and_then(|count| (count / block).checked_mul(storage.block_bytes()));
    bytes.ok_or_else(|| "more values than any file holds".into())
}

/// Makes the tensors' bytes relative to the file, in their order there, and checks that they lie
/// within it and apart.
fn place(tensors: &mut [Stored], start: usize, length: usize) -> Result<()> {
    tensors.sort_by_key(|tensor| tensor.bytes.start);
    let room = length.saturating_sub(start);
    for index in 0..tensors.len() {
        let bytes = tensors[index].bytes.clone();
        if bytes.end > room {
            let problem = format!(
                "its bytes {}..{} end beyond the {room} bytes of tensors in the file; it is \
                 truncated, fetch it again",
                bytes.start, bytes.end
            );
            return Err(Error::tensor(&tensors[index].name, problem));
        }
        if index > 0 && bytes.start + start < tensors[index - 1].bytes.end {
            let problem = format!("its bytes overlap those of {}", tensors[index - 1].name);
            return Err(Error::tensor(&tensors[index].name, problem));
        }
        tensors[index].bytes = start + bytes.start..start + bytes.end;
    }
    Ok(())
}
