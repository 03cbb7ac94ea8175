//! The text of a record: which fields hold it, and conversations.

use serde_json::{Map, Value};

use crate::{Error, Message, Result as Outcome};

/// A record: its fields by name.
pub type Record = Map<String, Value>;

/// Fields that hold the text, most usual first; tried when no field is named.
const USUAL: [&str; 9] =
    ["text", "content", "document", "story", "article", "passage", "body", "raw_content", "code"];

/// Fields that hold a conversation, tried next.
const CONVERSATIONS: [&str; 4] = ["messages", "conversations", "conversation", "dialog"];

/// Fields that make a text together, tried last.
const TOGETHER: [&[&str]; 6] = [
    &["instruction", "input", "output"],
    &["question", "answer"],
    &["instruction", "output"],
    &["instruction", "response"],
    &["prompt", "completion"],
    &["prompt", "response"],
];

/// Every text of a record, wherever it stands.
const EVERYTHING: &str = "*";

/// Records without text in a row after which that is said.
const EMPTY_IN_A_ROW: usize = 1 << 18;

/// Deepest nesting that is looked into.
const DEPTH: usize = 32;

/// Where the text of a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fields {
    /// In these fields, joined by line feeds.
    Named(Vec<String>),
    /// In all of them.
    All,
    /// In the messages of this one.
    Conversation(String),
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// Its text.
    pub text: String,
    /// Its messages, where it is a conversation.
    pub messages: Option<Vec<Message>>,
}

impl Item {
    /// A text that is no conversation.
    pub(crate) fn plain(text: String) -> Self {
        Self { text, messages: None }
    }
}

impl Fields {
    /// The fields that `option` names, or those found among `names`.
    ///
    /// # Errors
    /// What is wrong, where nothing is named and nothing found.
    pub(crate) fn of<'a>(
        option: Option<&str>,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let names: Vec<&str> = names.collect();
        match option {
            Some(EVERYTHING) => Ok(Fields::All),
            Some(one) if CONVERSATIONS.contains(&one) => Ok(Fields::Conversation(one.into())),
            Some(one) if names.contains(&one) => Ok(Fields::Named(vec![one.into()])),
            Some(some) => Ok(Fields::Named(some.split('+').map(str::to_owned).collect())),
            None => Self::found(&names).ok_or_else(|| {
                format!(
                    "no field known to hold text; the fields are {}; name one with the option field",
                    listed(&names)
                )
            }),
        }
    }

    fn found(names: &[&str]) -> Option<Self> {
        let has = |name: &&&str| names.contains(*name);
        if let Some(one) = USUAL.iter().find(has) {
            return Some(Fields::Named(vec![(*one).into()]));
        }
        if let Some(one) = CONVERSATIONS.iter().find(has) {
            return Some(Fields::Conversation((*one).into()));
        }
        let together =
            TOGETHER.iter().find(|group| group.iter().all(|name| names.contains(name)))?;
        Some(Fields::Named(together.iter().map(|name| (*name).into()).collect()))
    }

    /// Whether the field `name` is needed.
    pub(crate) fn need(&self, name: &str) -> bool {
        match self {
            Fields::Named(names) => names.iter().any(|one| one == name),
            Fields::All => true,
            Fields::Conversation(one) => one == name,
        }
    }

    /// What `record` says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(&self, record: &Record) -> Result<Item, String> {
        match self {
            Fields::All => {
                let mut texts = Vec::new();
                record.values().for_each(|value| collect(value, &mut texts, DEPTH));
                Ok(Item::plain(texts.join("\n")))
            }
            Fields::Named(names) => {
                let texts = names.iter().map(|name| text(record, name, names.len() > 1));
                let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
                texts.retain(|text| names.len() == 1 || !text.is_empty());
                Ok(Item::plain(texts.join("\n")))
            }
            Fields::Conversation(name) => {
                let value = record.get(name).ok_or_else(|| missing(record, name))?;
                let messages = messages(value).map_err(|problem| format!("{name:?}: {problem}"))?;
                let turns = messages.iter().map(|turn| format!("{}: {}", turn.role, turn.content));
                Ok(Item { text: turns.collect::<Vec<_>>().join("\n"), messages: Some(messages) })
            }
        }
    }
}

/// Records of a file in reading order.
pub trait Rows: Send {
    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else than records.
    fn row(&mut self) -> Outcome<Option<Record>>;

    /// Where the record read last stands: what is counted (`line`, `row`, `record`), and its number
    /// from 1.
    fn place(&self) -> (&'static str, usize);

    /// An error about the record read last.
    fn error(&self, problem: String) -> Error;
}

/// What the records of a file say; records of white space alone are left out.
pub(crate) struct Records<R> {
    rows: R,
    option: Option<String>,
    /// Where the text stands; the first record settles it where nobody did before.
    fields: Option<Fields>,
    ended: bool,
}

impl<R: Rows> Records<R> {
    /// The items of `rows`; `option` names the fields, which `fields` holds where they are known.
    pub(crate) fn new(rows: R, option: Option<&str>, fields: Option<Fields>) -> Self {
        Self { rows, option: option.map(str::to_owned), fields, ended: false }
    }

    fn item(&mut self) -> Outcome<Option<Item>> {
        for _ in 0..EMPTY_IN_A_ROW {
            let Some(record) = self.rows.row()? else { return Ok(None) };
            let item = self.read(&record).map_err(|problem| self.rows.error(problem))?;
            if !item.text.trim().is_empty() {
                return Ok(Some(item));
            }
        }
        let problem = format!("{EMPTY_IN_A_ROW} records in a row have no text");
        Err(self.rows.error(problem).of_the_file())
    }

    fn read(&mut self, record: &Record) -> Result<Item, String> {
        let found = || Fields::of(self.option.as_deref(), record.keys().map(String::as_str));
        let fields = self.fields.take().map_or_else(found, Ok)?;
        let item = fields.read(record);
        self.fields = Some(fields);
        item
    }
}

impl<R: Rows> Iterator for Records<R> {
    type Item = Outcome<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.item().transpose();
        self.ended = match &item {
            Some(Err(error)) => !error.concerns_one_record(),
            other => other.is_none(),
        };
        item
    }
}

/// The text of one field; of several that make a text together one may be null.
fn text<'a>(record: &'a Record, name: &str, together: bool) -> Result<&'a str, String> {
    match record.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) if together => Ok(""),
        Some(other) => Err(format!(
            "the field {name:?} must be a string, {} found; the fields are {}",
            kind(other),
            fields(record)
        )),
        None => Err(missing(record, name)),
    }
}

fn missing(record: &Record, name: &str) -> String {
    format!("no field {name:?}; the fields are {}", fields(record))
}

/// All texts within a value.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>, depth: usize) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) if depth > 0 => {
            values.iter().for_each(|value| collect(value, texts, depth - 1));
        }
        Value::Object(values) if depth > 0 => {
            values.values().for_each(|value| collect(value, texts, depth - 1));
        }
        _ => {}
    }
}

/// The turns of a conversation: objects with `role` and `content`, or `from` and `value`.
fn messages(value: &Value) -> Result<Vec<Message>, String> {
    let turns =
        value.as_array().ok_or_else(|| format!("messages expected, {} found", kind(value)))?;
    let message = |turn: &Value| {
        let text = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| turn.get(name));
            value.and_then(spoken).ok_or_else(|| format!("a message without {}", names[0]))
        };
        let role = match text(["role", "from"])?.as_str() {
            "human" => "user".to_owned(),
            "gpt" | "model" | "bot" => "assistant".to_owned(),
            other => other.to_owned(),
        };
        Ok(Message { role, content: text(["content", "value"])? })
    };
    turns.iter().map(message).collect()
}

/// What is said: a text, or the texts among the parts of a message.
fn spoken(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            Some(texts.collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

fn fields(record: &Record) -> String {
    listed(&record.keys().map(String::as_str).collect::<Vec<_>>())
}

/// Names of fields, shortened where there are very many.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let short = |name: &&str| name.chars().take(40).collect::<String>();
    let mut shown = names.iter().take(SHOWN).map(short).collect::<Vec<_>>();
    if shown.is_empty() {
        return "none at all".into();
    }
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(option: Option<&str>, record: Value) -> Result<Item, String> {
        let Value::Object(record) = record else { panic!("an object") };
        Fields::of(option, record.keys().map(String::as_str))?.read(&record)
    }

    fn text(option: Option<&str>, record: Value) -> String {
        read(option, record).unwrap().text
    }

    #[test]
    fn fields_are_found_by_name_alone_or_together() {
        assert_eq!(text(None, json!({"question": "q", "text": "t", "answer": "a"})), "t");
        assert_eq!(text(None, json!({"question": "q", "answer": "a"})), "q\na");
        assert_eq!(text(None, json!({"instruction": "i", "input": "", "output": "o"})), "i\no");
        assert_eq!(text(None, json!({"instruction": "i", "input": null, "output": "o"})), "i\no");
        assert!(read(None, json!({"id": 3})).unwrap_err().contains("the fields are id"));
    }

    #[test]
    fn fields_are_named_alone_joined_or_all() {
        let record = json!({"a+b": "x", "a": "1", "b": "2", "c": [{"d": "3"}, 4]});
        assert_eq!(text(Some("b"), record.clone()), "2");
        assert_eq!(text(Some("a+b"), record.clone()), "x");
        assert_eq!(text(Some("b+a"), record.clone()), "2\n1");
        assert_eq!(text(Some("*"), record.clone()), "x\n1\n2\n3");
        assert!(read(Some("c"), record.clone()).unwrap_err().contains("an array found"));
        assert!(read(Some("e"), record).unwrap_err().starts_with("no field \"e\""));
    }

    #[test]
    fn conversations_come_in_both_spellings() {
        let one = json!({"messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "ho"}]}]});
        let other = json!({"conversations": [{"from": "human", "value": "hi"},
            {"from": "gpt", "value": "ho"}]});
        let read_one = read(None, one).unwrap();
        assert_eq!(read_one.text, "user: hi\nassistant: ho");
        assert_eq!(read_one.messages.as_ref().unwrap().len(), 2);
        assert_eq!(read_one, read(None, other).unwrap());
        let broken = read(None, json!({"messages": [{"role": "user"}]}));
        assert!(broken.unwrap_err().contains("a message without content"));
        assert!(read(None, json!({"messages": 1})).unwrap_err().contains("messages expected"));
    }
}
