//! Texts with places for the fields of a record.

use serde_json::Value;

use crate::Result;
use crate::records::Record;

/// A text in which `{field}` stands for a field of a record, `{{` and `}}` for braces.
pub(super) struct Template {
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Field(String),
}

impl Template {
    /// Reads a template; the problem in words where a brace is left open.
    pub(super) fn parse(text: &str) -> std::result::Result<Self, String> {
        let (mut parts, mut own, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            own.push_str(&rest[..at]);
            let brace = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                own.push_str(brace);
                rest = after;
                continue;
            }
            let problem = || {
                format!("{brace}{rest}: {{field}} expected; a brace of the text is written twice")
            };
            let (field, after) =
                rest.split_once('}').filter(|_| brace == "{").ok_or_else(problem)?;
            if field.is_empty() || field.contains('{') {
                return Err(problem());
            }
            parts.push(Part::Text(std::mem::take(&mut own)));
            parts.push(Part::Field(field.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(own + rest));
        Ok(Self { parts })
    }

    /// The text for one record.
    ///
    /// # Errors
    /// When a field is missing, or neither a text nor a number; the record is named.
    pub(super) fn fill(&self, record: &Record) -> Result<String> {
        let part = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Field(field) => match record.value(field)? {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) => Ok(number.to_string()),
                other => Err(record.unexpected(field, "a text or a number", other)),
            },
        };
        self.parts.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::record;

    #[test]
    fn fields_take_their_places() {
        let record = record(json!({"a": "x", "b": {"c": 2}, "d": [1]}));
        let fill =
            |text: &str| Template::parse(text).unwrap().fill(&record).map_err(|e| e.to_string());
        assert_eq!(fill("{a}-{b.c}{{a}}").unwrap(), "x-2{a}");
        assert_eq!(fill("").unwrap(), "");
        assert!(fill("{d}").unwrap_err().contains("d: a text or a number expected, [1] found"));
        assert!(fill("{e}").unwrap_err().contains("no field \"e\""));
    }

    #[test]
    fn open_braces_are_refused() {
        for text in ["{a", "a}", "{}", "{a{b}}", "}{"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
