//! Arrow files: the file and the stream layout.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::Schema;

use super::{Format, Items, columns};
use crate::{
    Error, Options, Result,
    records::{Records, Rows},
};

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
        let option = options.field.as_deref();
        let choose = |schema: &Schema| {
            let (fields, needed) = columns::chosen(schema, path, option)?;
            Ok((fields, Some(needed)))
        };
        let (table, fields) = table(path, choose)?;
        Ok(Box::new(Records::new(table, option, Some(fields))))
    }

    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>> {
        let (table, ()) = table(path, |_| Ok(((), None)))?;
        Ok(Box::new(table))
    }
}

/// The columns that `choose` finds in the schema, all where it names none, and what else it says.
fn table<T>(
    path: &Path,
    choose: impl FnOnce(&Schema) -> Result<(T, Option<Vec<usize>>)>,
) -> Result<(columns::Table, T)> {
    let mut file = columns::seekable(path, Arrow.name())?;
    let (batches, chosen): (columns::Batches, T) =
        match is_file_layout(&mut file).map_err(Error::io(path))? {
            true => {
                let open = |columns| FileReader::try_new(clone(&file)?, columns);
                let reader = columns::guarded(path, || open(None))?;
                let (chosen, needed) = choose(&reader.schema())?;
                (Box::new(columns::guarded(path, || open(needed))?), chosen)
            }
            false => {
                let open = |columns| StreamReader::try_new(clone(&file)?, columns);
                let reader = columns::guarded(path, || open(None))?;
                let (chosen, needed) = choose(&reader.schema())?;
                (Box::new(columns::guarded(path, || open(needed))?), chosen)
            }
        };
    Ok((columns::Table::new(path, batches), chosen))
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
