//! Readers: what they yield and what they refuse.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use data::{BadRecords, Document, Error, Options, Split, open};
use proptest::prelude::*;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

fn read(name: &str, content: impl AsRef<[u8]>, options: &Options) -> Result<Vec<Document>, Error> {
    let folder = Folder::new();
    open(&folder.file(name, content), options)?.collect()
}

fn texts(name: &str, content: impl AsRef<[u8]>, options: &Options) -> Vec<String> {
    read(name, content, options).unwrap().into_iter().map(|document| document.text).collect()
}

fn message(name: &str, content: impl AsRef<[u8]>, options: &Options) -> String {
    let error = read(name, content, options).unwrap_err();
    assert!(error.is_bad_input());
    error.to_string()
}

fn split(split: Split) -> Options {
    Options { split: Some(split), ..Options::default() }
}

fn field(name: &str) -> Options {
    Options { field: Some(name.into()), ..Options::default() }
}

#[test]
fn a_text_file_is_one_document_as_it_stands() {
    let text = "first\r\n\r\n\nsecond é \n";
    assert_eq!(texts("a.txt", text, &Options::default()), [text]);
    assert_eq!(texts("README", text, &Options::default()), [text]);
    assert_eq!(texts("a.txt", "\u{feff}x", &Options::default()), ["x"]);
}

#[test]
fn a_text_file_is_cut_where_asked() {
    let text = "\n one\ntwo \n\n \n\nthree\r\n";
    assert_eq!(texts("a.txt", text, &split(Split::BlankLine)), [" one\ntwo ", "three"]);
    assert_eq!(texts("a.txt", text, &split(Split::Line)), [" one", "two ", "three"]);
    assert_eq!(texts("a.txt", text, &split(Split::File)), [text]);
}

#[test]
fn records_are_read_by_a_named_or_usual_field() {
    let lines =
        "{\"text\": \"one\\n\", \"content\": \"x\"}\n\n{\"text\": \"\"}\n{\"text\": \"two\"}";
    assert_eq!(texts("a.jsonl", lines, &Options::default()), ["one\n", "two"]);
    assert_eq!(texts("a.jsonl", "{\"content\": \"x\"}", &Options::default()), ["x"]);
    assert_eq!(texts("a.JSONL", "{\"q\": \"x\", \"text\": 3}", &field("q")), ["x"]);
}

#[test]
fn wrong_records_are_named_by_line_and_fields() {
    let second = "{\"text\": \"a\"}\n{\"id\": 1, \"body\": \"b\"}\n";
    let found = message("a.jsonl", second, &Options::default());
    assert!(
        found.ends_with("a.jsonl, line 2: no field \"text\"; the fields are id, body"),
        "{found}"
    );
    let none = message("a.jsonl", "{\"question\": \"a\"}", &Options::default());
    assert!(none.contains("line 1") && none.contains("question") && none.contains("option field"));
    let number = message("a.jsonl", "{\"text\": 4}", &Options::default());
    assert!(number.contains("must be a string, a number found"), "{number}");
    for broken in ["{\"text\": \"a", "[1]", "\"text\"", "{}x", &"[".repeat(100_000)] {
        let found = message("a.jsonl", broken, &field("text"));
        assert!(found.contains("line 1: expected a JSON object"), "{found}");
    }
}

#[test]
fn bad_bytes_are_named_by_line_and_offset() {
    let found = message("a.txt", b"good\nba\xffd\n", &Options::default());
    assert!(found.contains("line 2: not UTF-8 at byte 7"), "{found}");
    let found = message("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"\xc3\"}\n", &field("text"));
    assert!(found.contains("line 2: not UTF-8 at byte 24"), "{found}");
}

#[test]
fn files_without_text_are_refused() {
    for (name, content) in [("a.txt", ""), ("a.txt", " \n\t\n"), ("a.jsonl", ""), ("a.jsonl", "\n")]
    {
        let found = message(name, content, &Options::default());
        assert!(found.ends_with("it holds no text"), "{found}");
    }
}

#[test]
fn options_that_do_not_apply_and_unknown_formats_are_refused() {
    let found = message("a.txt", "x", &field("text"));
    assert!(found.contains("the option field applies to files of records"), "{found}");
    let found = message("a.jsonl", "{}", &split(Split::Line));
    assert!(found.contains("the option split applies to plain text"), "{found}");
    let found = message("a.csv", "x", &Options::default());
    assert!(
        found.contains("known: text (.txt") && found.contains("convert it to .jsonl"),
        "{found}"
    );
    let missing = open("no/such/file.txt".as_ref(), &Options::default()).err().unwrap();
    assert!(missing.is_bad_input() && missing.to_string().starts_with("no/such/file.txt: "));
}

#[test]
fn a_line_without_end_is_refused() {
    let found = message("a.jsonl", vec![b'{'; (1 << 26) + 2], &Options::default());
    assert!(found.contains("line 1: longer than 67108864 bytes"), "{found}");
}

#[test]
fn a_field_missing_far_down_is_named_by_line_or_counted() {
    let line = |number: usize| match number {
        10_000 => "{\"id\": 7}\n".to_owned(),
        _ => format!("{{\"text\": \"document {number}\"}}\n"),
    };
    let lines: String = (1..=10_500).map(line).collect();
    let found = message("a.jsonl", &lines, &Options::default());
    assert!(found.contains("line 10000: no field \"text\"; the fields are id"), "{found}");
    let folder = Folder::new();
    let mut documents = open(&folder.file("a.jsonl", &lines), &skipping()).unwrap();
    assert_eq!(documents.by_ref().map(Result::unwrap).count(), 10_499);
    assert_eq!(documents.skipped().count, 1);
}

fn skipping() -> Options {
    Options { bad_records: BadRecords::Skip, ..Options::default() }
}

#[test]
fn files_of_nothing_but_what_is_left_out_are_given_up() {
    let found = message("a.jsonl", "{}\n".repeat((1 << 18) + 9), &skipping());
    assert!(found.contains("262144 records in a row cannot be used: "), "{found}");
    let found = message("a.jsonl", "{\"text\":\" \"}\n".repeat((1 << 18) + 9), &skipping());
    assert!(found.contains("up to line 262144: 262144 records in a row have no text"), "{found}");
}

#[test]
#[cfg(unix)]
fn a_file_that_never_ends_is_given_up() {
    let folder = Folder::new();
    let endless = |name: &str, options: &Options| {
        let path = folder.0.path().join(name);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        open(&path, options).unwrap().collect::<Result<Vec<_>, _>>().unwrap_err().to_string()
    };
    for name in ["a.txt", "a.jsonl"] {
        let found = endless(name, &Options::default());
        assert!(found.contains("line 1: a NUL byte found"), "{found}");
        let found = endless(name, &skipping());
        assert!(found.contains("no line feed in 1073741824 bytes"), "{found}");
    }
    assert!(endless("a.json", &Options::default()).contains("longer than 67108864 bytes"));
}

#[test]
fn a_folder_is_read_in_the_order_of_names_and_files_are_checked_when_reached() {
    let folder = Folder::new();
    folder.file("b.jsonl", "{\"text\": \"two\"}\n{\"text\": \"three\"}\n{\"no\": 1}");
    folder.file("a.txt", "one");
    folder.file(".hidden", b"\xff");
    let documents = open(folder.0.path(), &Options::default()).unwrap().collect::<Vec<_>>();
    let good = documents[..3].iter().map(|d| d.as_ref().unwrap()).collect::<Vec<_>>();
    assert_eq!(good.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(good.iter().map(|d| d.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(good[2].source.ends_with("b.jsonl"));
    assert!(documents[3].as_ref().unwrap_err().to_string().contains("line 3"));
    assert_eq!(documents.len(), 4);
    let empty = TempDir::new().unwrap();
    assert!(matches!(open(empty.path(), &Options::default()), Err(Error::Empty { .. })));
}

proptest! {
    #[test]
    fn records_round_trip(texts_in in prop::collection::vec("[^\\p{White_Space}].{0,40}", 1..20)) {
        let line = |text: &String| serde_json::json!({ "text": text }).to_string();
        let content = texts_in.iter().map(line).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(texts("a.jsonl", content, &Options::default()), texts_in);
    }

    #[test]
    fn any_bytes_give_documents_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (name, split) in [("a.txt", Some(Split::BlankLine)), ("a.jsonl", None), ("a.txt", None)] {
            let _ = read(name, &bytes, &Options { split, ..Options::default() });
        }
    }
}
