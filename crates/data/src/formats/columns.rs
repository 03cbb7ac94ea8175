//! Tables in Arrow's layout, row by row.

use std::{
    fs::File,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use arrow_array::{
    Array, ArrowPrimitiveType, LargeListArray, ListArray, RecordBatch, StructArray,
    cast::{AsArray, as_large_list_array, as_list_array, as_struct_array},
    types,
};
use arrow_schema::{ArrowError, DataType, Schema};
use serde_json::Value;

use crate::{
    Error, Result,
    records::{Fields, Record, Rows},
};

/// Batches of rows in reading order.
pub(super) type Batches =
    Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

/// The rows of a table.
pub(super) struct Table {
    path: PathBuf,
    batches: Batches,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    next: usize,
    /// Number of the row read last, from 1.
    number: usize,
}

impl Table {
    pub(super) fn new(path: &Path, batches: Batches) -> Self {
        Self { path: path.into(), batches, batch: None, next: 0, number: 0 }
    }

    fn next_batch(&mut self) -> Result<bool> {
        let batches = &mut self.batches;
        let batch = guarded(&self.path, || batches.next().transpose())?;
        (self.batch, self.next) = (batch, 0);
        Ok(self.batch.is_some())
    }
}

impl Rows for Table {
    fn row(&mut self) -> Result<Option<Record>> {
        while self.batch.as_ref().is_none_or(|batch| self.next == batch.num_rows()) {
            if !self.next_batch()? {
                return Ok(None);
            }
        }
        let (batch, row) = (self.batch.as_ref().expect("there is one"), self.next);
        self.next += 1;
        self.number += 1;
        let schema = batch.schema();
        let fields = schema.fields().iter().zip(batch.columns());
        Ok(Some(fields.map(|(field, column)| (field.name().clone(), value(column, row))).collect()))
    }

    fn place(&self) -> (&'static str, usize) {
        ("row", self.number)
    }

    fn error(&self, problem: String) -> Error {
        Error::Row { path: self.path.clone(), row: self.number, problem }
    }
}

/// Opens a file that is read at any place, which standard input and compressed files cannot be.
pub(super) fn seekable(path: &Path, format: &str) -> Result<File> {
    if path.as_os_str() == crate::STANDARD_INPUT {
        return Err(malformed(
            path,
            format!("{format} cannot be read from standard input; name a file"),
        ));
    }
    File::open(path).map_err(Error::io(path))
}

/// The fields of `schema` to read, and the numbers of their columns.
pub(super) fn chosen(
    schema: &Schema,
    path: &Path,
    option: Option<&str>,
) -> Result<(Fields, Vec<usize>)> {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let fields = Fields::of(option, names).map_err(|problem| malformed(path, problem))?;
    let all = schema.fields().iter().enumerate();
    let needed = all.filter(|(_, field)| fields.need(field.name())).map(|(index, _)| index);
    let needed: Vec<usize> = needed.collect();
    if needed.is_empty() {
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let problem = format!("no such field; the fields are {}", names.join(", "));
        return Err(malformed(path, problem));
    }
    Ok((fields, needed))
}

/// Runs a reader, which may panic on a file that is broken on purpose.
pub(super) fn guarded<T, E: std::fmt::Display>(
    path: &Path,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(malformed(path, format!("the file is broken: {error}"))),
        Err(_) => Err(malformed(path, "the file is broken: its reader gave up".into())),
    }
}

pub(super) fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed { path: path.into(), problem }
}

/// One value as JSON; what has no counterpart there (bytes, dates) is null.
fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int8 => number::<types::Int8Type>(column, row),
        DataType::Int16 => number::<types::Int16Type>(column, row),
        DataType::Int32 => number::<types::Int32Type>(column, row),
        DataType::Int64 => number::<types::Int64Type>(column, row),
        DataType::UInt8 => number::<types::UInt8Type>(column, row),
        DataType::UInt16 => number::<types::UInt16Type>(column, row),
        DataType::UInt32 => number::<types::UInt32Type>(column, row),
        DataType::UInt64 => number::<types::UInt64Type>(column, row),
        DataType::Float32 => number::<types::Float32Type>(column, row),
        DataType::Float64 => number::<types::Float64Type>(column, row),
        DataType::List(_) => list(&ListArray::value(as_list_array(column), row)),
        DataType::LargeList(_) => list(&LargeListArray::value(as_large_list_array(column), row)),
        DataType::FixedSizeList(..) => list(&column.as_fixed_size_list().value(row)),
        DataType::Struct(_) => structure(as_struct_array(column), row),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let key = value(dictionary.keys(), row).as_u64();
            key.map_or(Value::Null, |key| value(dictionary.values(), key as usize))
        }
        _ => Value::Null,
    }
}

fn number<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Value
where
    Value: From<T::Native>,
{
    column.as_primitive::<T>().value(row).into()
}

fn list(values: &dyn Array) -> Value {
    (0..values.len()).map(|row| value(values, row)).collect()
}

fn structure(values: &StructArray, row: usize) -> Value {
    let fields = values.column_names().into_iter().zip(values.columns());
    fields.map(|(name, column)| (name.to_owned(), value(column, row))).collect::<Record>().into()
}
