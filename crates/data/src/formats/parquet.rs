//! Parquet files.

use std::path::Path;

use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::{Format, Items, columns};
use crate::{Options, Result, records::Records};

/// Rows that are held at once.
const BATCH: usize = 256;

/// Parquet, column by column: only those that hold the text are read.
pub(crate) struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn summary(&self) -> &'static str {
        "Parquet tables (snappy, gzip, zstd or plain), one document per row; read batch by batch"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet", "pq"]
    }

    fn items(&self, path: &Path, options: &Options) -> Result<Items> {
        let file = columns::seekable(path, self.name())?;
        let builder = columns::guarded(path, || ParquetRecordBatchReaderBuilder::try_new(file))?;
        let option = options.field.as_deref();
        let (fields, needed) = columns::chosen(builder.schema(), path, option)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), needed);
        let reader = columns::guarded(path, || {
            builder.with_projection(mask).with_batch_size(BATCH).build()
        })?;
        let table = columns::Table::new(path, Box::new(reader));
        Ok(Box::new(Records::new(table, option, Some(fields))))
    }
}
