//! Bytes of a file or of standard input, decompressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The path that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// Endings that say how a file is compressed; what is inside decides, not they.
const COMPRESSIONS: [&str; 4] = ["gz", "gzip", "zst", "zstd"];

/// Bytes a zstd stream may ask to keep: 2^27, what the tool `zstd` accepts unless told otherwise.
const ZSTD_WINDOW: u32 = 27;

/// Bytes in reading order.
pub(crate) type Bytes = Box<dyn BufRead + Send>;

/// Opens a file or standard input. gzip and zstd are told by their first bytes.
///
/// # Errors
/// When it cannot be opened or read.
pub(crate) fn open(path: &Path) -> Result<Bytes> {
    let raw: Box<dyn Read + Send> = match path.to_str() {
        Some(STANDARD_INPUT) => Box::new(io::stdin()),
        _ => Box::new(File::open(path).map_err(Error::io(path))?),
    };
    decompressed(raw).map_err(Error::io(path))
}

fn decompressed(raw: Box<dyn Read + Send>) -> io::Result<Bytes> {
    let (head, raw) = peek::<4>(raw)?;
    Ok(match head[..] {
        [0x1F, 0x8B, ..] => buffered(flate2::read::MultiGzDecoder::new(raw)),
        [0x28, 0xB5, 0x2F, 0xFD] => {
            let mut decoder = zstd::stream::read::Decoder::new(raw)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            buffered(decoder)
        }
        _ => buffered(raw),
    })
}

fn buffered(reader: impl Read + Send + 'static) -> Bytes {
    Box::new(BufReader::with_capacity(1 << 16, reader))
}

/// The first bytes, `N` unless there are fewer, and a reader of all bytes.
fn peek<const N: usize>(
    mut reader: impl Read + Send + 'static,
) -> io::Result<(Vec<u8>, impl Read + Send + 'static)> {
    let mut head = Vec::with_capacity(N);
    (&mut reader).take(N as u64).read_to_end(&mut head)?;
    Ok((head.clone(), io::Cursor::new(head).chain(reader)))
}

/// The path without the ending that says how it is compressed.
pub(crate) fn uncompressed_name(path: &Path) -> PathBuf {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match COMPRESSIONS.contains(&extension.as_str()) {
        true => path.with_extension(""),
        false => path.to_owned(),
    }
}
