//! Parquet files.

use std::{fs::File, path::Path};

use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::{Format, Items, columns};
use crate::{
    Options, Result,
    records::{Records, Rows},
};

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
        let builder = open(path)?;
        let option = options.field.as_deref();
        let (fields, needed) = columns::chosen(builder.schema(), path, option)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), needed);
        Ok(Box::new(Records::new(table(path, builder, mask)?, option, Some(fields))))
    }

    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>> {
        Ok(Box::new(table(path, open(path)?, ProjectionMask::all())?))
    }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = columns::seekable(path, Parquet.name())?;
    columns::guarded(path, || ParquetRecordBatchReaderBuilder::try_new(file))
}

fn table(
    path: &Path,
    builder: ParquetRecordBatchReaderBuilder<File>,
    mask: ProjectionMask,
) -> Result<columns::Table> {
    let builder = builder.with_projection(mask).with_batch_size(BATCH);
    let reader = columns::guarded(path, || builder.build())?;
    Ok(columns::Table::new(path, Box::new(reader)))
}
