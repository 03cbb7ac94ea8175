//! Tasks from the hub's Parquet files.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use std::{fs, fs::File, path::Path, sync::Arc};

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use eval::Result;
use eval::tasks::{Asking, DataFiles, Queries, choose};

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn lists(values: &[&[&str]]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in values {
        list.iter().for_each(|text| builder.values().append_value(text));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// `choices` as the hub stores them: a structure of two lists.
fn choices(text: &[&[&str]], label: &[&[&str]]) -> ArrayRef {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let field = |name: &str| Arc::new(Field::new(name, list.clone(), true));
    let fields = vec![(field("text"), lists(text)), (field("label"), lists(label))];
    Arc::new(StructArray::from(fields))
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read(folder: &Path, task: &str) -> Result<Queries> {
    let chosen = choose(&[task.to_owned()])?.tasks.remove(0);
    Queries::read(chosen, &DataFiles::open(Some(folder))?, Asking::default())
}

/// The questions of `task` from a Parquet file and from lines of JSON.
fn both(task: &str, columns: Vec<(&str, ArrayRef)>, lines: &str) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(format!("table/{task}.parquet")), columns);
    fs::create_dir(folder.path().join("lines")).unwrap();
    fs::write(folder.path().join(format!("lines/{task}.jsonl")), lines).unwrap();
    let read = |kind: &str| read(&folder.path().join(kind), task).unwrap().queries;
    let (table, lines) = (read("table"), read("lines"));
    assert_eq!(table.len(), lines.len(), "{task}");
    for (index, (table, line)) in table.iter().zip(&lines).enumerate() {
        assert_eq!(table.contexts, line.contexts, "{task}");
        assert_eq!(table.continuations, line.continuations, "{task}");
        assert_eq!((table.gold, &table.part), (line.gold, &line.part), "{task}");
        let place = table.place.to_string();
        assert!(place.ends_with(&format!("{task}.parquet, row {}", index + 1)), "{place}");
    }
}

#[test]
fn nested_fields_are_those_of_json_lines() {
    both(
        "arc_easy",
        vec![
            ("question", texts(&["Which?", "What?"])),
            (
                "choices",
                choices(&[&["a", "b", "c"], &["d", "e"]], &[&["A", "B", "C"], &["1", "2"]]),
            ),
            ("answerKey", texts(&["C", "1"])),
        ],
        r#"{"question": "Which?", "choices": {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}, "answerKey": "C"}
{"question": "What?", "choices": {"text": ["d", "e"], "label": ["1", "2"]}, "answerKey": "1"}"#,
    );
    both(
        "hellaswag",
        vec![
            ("activity_label", texts(&["Cooking"])),
            ("ctx_a", texts(&["A man cooks."])),
            ("ctx_b", texts(&["he"])),
            ("endings", lists(&[&["eats", "runs", "sings", "sits"]])),
            ("label", texts(&["2"])),
        ],
        r#"{"activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "he", "endings": ["eats", "runs", "sings", "sits"], "label": "2"}"#,
    );
    both(
        "mmlu",
        vec![
            ("question", texts(&["q"])),
            ("subject", texts(&["anatomy"])),
            ("choices", lists(&[&["a", "b", "c", "d"]])),
            ("answer", numbers(&[3])),
        ],
        r#"{"question": "q", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 3}"#,
    );
    both(
        "boolq",
        vec![
            ("passage", texts(&["p", "r"])),
            ("question", texts(&["q", "s"])),
            ("answer", Arc::new(BooleanArray::from(vec![true, false]))),
        ],
        r#"{"passage": "p", "question": "q", "answer": true}
{"passage": "r", "question": "s", "answer": false}"#,
    );
}

fn rte(sentences: &[&str]) -> Vec<(&'static str, ArrayRef)> {
    let labels = vec![0; sentences.len()];
    vec![
        ("sentence1", texts(sentences)),
        ("sentence2", texts(sentences)),
        ("label", numbers(&labels)),
    ]
}

#[test]
fn shards_of_the_hub_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let shard =
        |number: usize| folder.path().join(format!("rte/validation-0000{number}-of-00002.parquet"));
    write(&shard(1), rte(&["c"]));
    write(&shard(0), rte(&["a", "b"]));
    let found = read(folder.path(), "rte").unwrap();
    assert_eq!((found.files.len(), found.available), (2, 3));
    let first: Vec<_> = found.queries.iter().map(|query| &query.contexts[0][..1]).collect();
    assert_eq!(first, ["a", "b", "c"]);
    assert!(found.queries[2].place.to_string().ends_with("00001-of-00002.parquet, row 1"));
}

#[test]
fn files_that_hold_nothing_to_ask_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rte.parquet");
    let refused = || {
        let Err(error) = read(folder.path(), "rte") else { panic!("read") };
        assert!(error.is_bad_input());
        error.to_string()
    };
    write(&path, rte(&[]));
    assert!(refused().contains("rte.parquet: it holds no"), "{}", refused());
    write(&path, vec![("sentence1", texts(&["a"])), ("label", numbers(&[0]))]);
    let error = refused();
    assert!(error.contains("rte.parquet, row 1: no field \"sentence2\""), "{error}");
    assert!(error.contains("the fields are sentence1, label"), "{error}");
    write(&path, rte(&["a", "b"]));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refused().contains("rte.parquet: the file is broken"), "{}", refused());
}
