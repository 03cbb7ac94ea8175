//! Arrow files: the file and the stream layout.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

use arrow_ipc::reader::{FileReader, StreamReader};

use super::{Format, Items, columns};
use crate::{Error, Options, Result, records::Records};

/// The first bytes of the file layout; the stream layout has none.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Arrow, as `datasets` keeps its caches and Feather its tables.
pub(crate) struct Arrow;

impl Format for Arrow {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn summary(&self) -> &'static str {
        "Arrow tables, file or stream layout, one document per row; read batch by batch"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["arrow", "feather", "ipc"]
    }

    fn items(&self, path: &Path, options: &Options) -> Result<Items> {
        let mut file = columns::seekable(path, self.name())?;
        let option = options.field.as_deref();
        let (table, fields) = match is_file_layout(&mut file).map_err(Error::io(path))? {
            true => {
                let open = |columns| FileReader::try_new(clone(&file)?, columns);
                let reader = columns::guarded(path, || open(None))?;
                let (fields, needed) = columns::chosen(&reader.schema(), path, option)?;
                let reader = columns::guarded(path, || open(Some(needed)))?;
                (columns::Table::new(path, Box::new(reader)), fields)
            }
            false => {
                let open = |columns| StreamReader::try_new(clone(&file)?, columns);
                let reader = columns::guarded(path, || open(None))?;
                let (fields, needed) = columns::chosen(&reader.schema(), path, option)?;
                let reader = columns::guarded(path, || open(Some(needed)))?;
                (columns::Table::new(path, Box::new(reader)), fields)
            }
        };
        Ok(Box::new(Records::new(table, option, Some(fields))))
    }
}

/// The same file from its first byte on.
fn clone(file: &File) -> std::io::Result<BufReader<File>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(BufReader::new(file))
}

fn is_file_layout(file: &mut File) -> std::io::Result<bool> {
    let mut head = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head == MAGIC)
}
