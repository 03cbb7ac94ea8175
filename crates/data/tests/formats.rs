//! Compressed files, JSON, Parquet, Arrow, patterns, and records that cannot be used.

#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{
    ArrayRef,
    builder::{ListBuilder, StringBuilder, StructBuilder},
};
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Fields};
use data::{BadRecords, Document, Error, Options, open};
use tempfile::TempDir;

fn texts(path: &Path, options: &Options) -> Result<Vec<String>, Error> {
    let documents = open(path, options)?.collect::<Result<Vec<Document>, _>>()?;
    Ok(documents.into_iter().map(|document| document.text).collect())
}

fn field(name: &str) -> Options {
    Options { field: Some(name.into()), ..Options::default() }
}

fn skipping() -> Options {
    Options { bad_records: BadRecords::Skip, ..Options::default() }
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const RECORDS: &[u8] = b"{\"text\": \"one\"}\n{\"text\": \"two\"}\n";

#[test]
fn compressed_files_are_told_by_their_bytes() {
    let folder = TempDir::new().unwrap();
    let zstd = zstd::encode_all(RECORDS, 1).unwrap();
    // two members, as parallel compressors write them
    let members = [gzip(&RECORDS[..16]), gzip(&RECORDS[16..])].concat();
    for (name, bytes) in [
        ("a.jsonl.gz", gzip(RECORDS)),
        ("b.jsonl.gz", members),
        ("c.jsonl.zst", zstd.clone()),
        ("d.jsonl", zstd),
        ("e.jsonl.gz", RECORDS.to_vec()),
    ] {
        let path = write(&folder, name, bytes);
        assert_eq!(texts(&path, &Options::default()).unwrap(), ["one", "two"], "{name}");
    }
}

#[test]
fn broken_compression_is_an_error_of_the_input() {
    let folder = TempDir::new().unwrap();
    let whole = gzip(&RECORDS.repeat(5000));
    for (name, bytes) in [
        ("cut.jsonl.gz", &whole[..whole.len() / 2]),
        ("cut.jsonl.zst", &zstd::encode_all(&RECORDS.repeat(5000)[..], 1).unwrap()[..20]),
        ("garbage.jsonl.gz", b"\x1f\x8b garbage garbage"),
    ] {
        for options in [Options::default(), skipping()] {
            let error = texts(&write(&folder, name, bytes), &options).unwrap_err();
            assert!(error.is_bad_input() && error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn json_is_an_array_or_a_row_of_objects() {
    let folder = TempDir::new().unwrap();
    let array = write(&folder, "a.json", "[{\"text\": \"one\"},\n {\"text\": \"two\"}]");
    let row = write(&folder, "b.json", RECORDS);
    let indented =
        write(&folder, "c.json.gz", gzip(b"{\n\"text\":\n\"one\"}\n{\"text\": \"two\"}"));
    for path in [array, row, indented] {
        assert_eq!(texts(&path, &Options::default()).unwrap(), ["one", "two"]);
    }
    let number = write(&folder, "d.json", "[1]");
    let message = texts(&number, &Options::default()).unwrap_err().to_string();
    assert!(message.contains("line 1: expected a JSON object"), "{message}");
}

#[test]
fn patterns_match_files_in_order() {
    let folder = TempDir::new().unwrap();
    write(&folder, "b/x.jsonl", "{\"text\": \"two\"}");
    write(&folder, "a/y.jsonl.gz", gzip(b"{\"text\": \"one\"}"));
    write(&folder, "a/z.txt", "three");
    let pattern = |pattern: &str| folder.path().join(pattern);
    let read = |name: &str| texts(&pattern(name), &Options::default());
    assert_eq!(read("**/*.jsonl*").unwrap(), ["one", "two"]);
    assert_eq!(read("a/[yz].*").unwrap(), ["one", "three"]);
    let nothing = read("*.parquet").unwrap_err();
    assert!(nothing.is_bad_input() && nothing.to_string().contains("no file matches"), "{nothing}");
    // a file that is called like a pattern is that file
    let odd = write(&folder, "what?.txt", "odd");
    assert_eq!(texts(&odd, &Options::default()).unwrap(), ["odd"]);
}

#[test]
fn records_that_cannot_be_used_end_the_reading_or_are_counted() {
    let folder = TempDir::new().unwrap();
    let mut lines = "{\"text\": \"good\"}\n".repeat(9_999).into_bytes();
    lines.extend(b"{\"body\": \"no text\"}\n{\"text\": 3}\n{broken\n{\"text\": \"\xff\"}\n");
    lines.extend(b"{\"text\": \"last\"}\n");
    let path = write(&folder, "a.jsonl", lines);
    let error = texts(&path, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("line 10000: no field \"text\""), "{error}");
    let mut documents = open(&path, &skipping()).unwrap();
    let read: Vec<String> = documents.by_ref().map(|document| document.unwrap().text).collect();
    assert_eq!((read.len(), read.last().unwrap().as_str()), (10_000, "last"));
    let skipped = documents.skipped();
    assert_eq!((skipped.count, skipped.examples.len()), (4, 3));
    assert!(skipped.examples[0].contains("line 10000"), "{skipped:?}");
    let nothing = write(&folder, "b.jsonl", "{\"no\": 1}\n{\"no\": 2}\n");
    let error = texts(&nothing, &skipping()).unwrap_err();
    assert!(error.to_string().ends_with("it holds no text"), "{error}");
}

#[test]
fn a_line_that_is_too_long_is_left_out_alone() {
    let folder = TempDir::new().unwrap();
    let mut lines = b"{\"text\": \"one\"}\n".to_vec();
    lines.resize(lines.len() + (1 << 26) + 70_000, b'x');
    lines.extend(b"\n{\"text\": \"two\"}\n");
    let path = write(&folder, "a.jsonl", lines);
    assert_eq!(texts(&path, &skipping()).unwrap(), ["one", "two"]);
}

#[test]
fn binary_files_are_no_text() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "a.txt", b"text\n\0\0\0\n");
    let error = texts(&path, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("line 2: a NUL byte found"), "{error}");
    assert_eq!(texts(&path, &skipping()).unwrap(), ["text\n"]);
}

/// Two columns of text, one of numbers, one of conversations.
fn table() -> RecordBatch {
    let texts = |texts: [&str; 3]| Arc::new(StringArray::from_iter_values(texts)) as ArrayRef;
    RecordBatch::try_from_iter([
        ("question", texts(["1+1?", "2+2?", "3+3?"])),
        ("answer", texts(["2", "4", "6"])),
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("messages", conversations()),
    ])
    .unwrap()
}

fn conversations() -> ArrayRef {
    let fields = ["role", "content"].map(|name| Field::new(name, DataType::Utf8, true));
    let fields = Fields::from(fields.to_vec());
    let turns = StructBuilder::from_fields(fields, 3);
    let mut list = ListBuilder::new(turns);
    for name in ["a", "b", "c"] {
        for (at, text) in ["user", name].into_iter().enumerate() {
            list.values().field_builder::<StringBuilder>(at).unwrap().append_value(text);
        }
        list.values().append(true);
        list.append(true);
    }
    Arc::new(list.finish())
}

fn parquet(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    let file = File::create(&path).unwrap();
    let batch = table();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn arrow(folder: &TempDir, stream: bool) -> PathBuf {
    let path = folder.path().join(format!("{stream}.arrow"));
    let (file, batch) = (File::create(&path).unwrap(), table());
    if stream {
        let writer = arrow_ipc::writer::StreamWriter::try_new(file, &batch.schema());
        let mut writer = writer.unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
    path
}

#[test]
fn tables_are_read_by_the_columns_that_hold_the_text() {
    let folder = TempDir::new().unwrap();
    for path in [parquet(&folder, "a.parquet"), arrow(&folder, true), arrow(&folder, false)] {
        assert_eq!(texts(&path, &field("answer")).unwrap(), ["2", "4", "6"]);
        assert_eq!(texts(&path, &field("question+answer")).unwrap()[2], "3+3?\n6");
        let documents = open(&path, &Options::default()).unwrap();
        let documents = documents.collect::<Result<Vec<_>, _>>().unwrap();
        let messages = documents[1].messages.as_ref().unwrap();
        assert_eq!((messages[0].role.as_str(), messages[0].content.as_str()), ("user", "b"));
        let number = texts(&path, &field("id")).unwrap_err().to_string();
        assert!(number.contains("row 1: the field \"id\" must be a string"), "{number}");
        let absent = texts(&path, &field("body")).unwrap_err().to_string();
        assert!(absent.contains("the fields are question, answer, id, messages"), "{absent}");
    }
}

#[test]
fn broken_tables_are_errors() {
    let folder = TempDir::new().unwrap();
    for path in [parquet(&folder, "a.parquet"), arrow(&folder, true), arrow(&folder, false)] {
        let whole = fs::read(&path).unwrap();
        let extension = path.extension().unwrap().to_str().unwrap();
        let step = (whole.len() / 37).max(1);
        for place in (0..whole.len()).step_by(step) {
            let cut = write(&folder, &format!("cut.{extension}"), &whole[..place]);
            let _ = texts(&cut, &field("answer"));
            let mut changed = whole.clone();
            changed[place] ^= 0x5A;
            let changed = write(&folder, &format!("changed.{extension}"), changed);
            let _ = texts(&changed, &field("answer"));
        }
        let nothing = write(&folder, &format!("no.{extension}"), "this is no table");
        let error = texts(&nothing, &field("answer")).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains("no."), "{error}");
    }
}
