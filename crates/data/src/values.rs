//! JSON values one after the other: those of one array, or of a file that is a row of values.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
};

use crate::{Error, Result, input, input::Bytes};

/// Most bytes of one value.
const LIMIT: usize = 1 << 26;

/// Bytes between two values at most.
const BETWEEN: u64 = 1 << 30;

/// Cuts JSON into values without reading it as a whole.
pub(crate) struct Values {
    reader: Bytes,
    path: PathBuf,
    /// Number of the line that is read, from 1.
    line: usize,
    /// Values read so far.
    count: usize,
    /// Whether the values are those of an array; unknown before the first byte.
    array: Option<bool>,
    ended: bool,
}

/// How far a value has come.
#[derive(Default)]
struct Progress {
    bytes: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What a byte does to a value.
enum Step {
    /// It is part of the value, which goes on.
    On,
    /// It is the last byte of the value.
    Last,
    /// The value ended before it.
    Past,
}

impl Values {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self::of(input::open(path)?, path))
    }

    /// The values of `reader`, which `path` names.
    pub(crate) fn of(reader: Bytes, path: &Path) -> Self {
        Self { reader, path: path.into(), line: 1, count: 0, array: None, ended: false }
    }

    /// The bytes of the next value; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ended || !self.begins()? {
            self.ended = true;
            return Ok(None);
        }
        self.count += 1;
        let mut value = Progress::default();
        loop {
            let Some(byte) = self.peek()? else {
                self.ended = true;
                if value.depth == 0 && !value.in_string {
                    return Ok(Some(value.bytes));
                }
                return Err(self.error("the file ends within a value"));
            };
            match value.step(byte) {
                Step::Past if value.bytes.is_empty() => {
                    self.ended = true;
                    return Err(
                        self.error(format!("a value expected, {:?} found", char::from(byte)))
                    );
                }
                Step::Past => return Ok(Some(value.bytes)),
                step => {
                    self.consume(byte);
                    value.bytes.push(byte);
                    if let Step::Last = step {
                        return Ok(Some(value.bytes));
                    }
                }
            }
            if value.bytes.len() > LIMIT {
                self.ended = true;
                let (path, line, limit) = (self.path.clone(), self.line, LIMIT as u64);
                let hint = "write one object for every document";
                return Err(Error::TooLong { path, line, limit, hint });
            }
        }
    }

    /// Goes to the first byte of the next value; whether there is one.
    fn begins(&mut self) -> Result<bool> {
        for _ in 0..BETWEEN {
            match self.peek()? {
                None if self.array == Some(true) => {
                    self.ended = true;
                    return Err(self.error("the file ends within its array"));
                }
                None => return Ok(false),
                Some(byte) if byte.is_ascii_whitespace() => self.consume(byte),
                // the bytes of a byte-order mark
                Some(byte @ (0xEF | 0xBB | 0xBF)) if self.array.is_none() => self.consume(byte),
                Some(b'[') if self.array.is_none() => {
                    self.array = Some(true);
                    self.consume(b'[');
                }
                Some(b',') if self.array == Some(true) => self.consume(b','),
                Some(b']') if self.array == Some(true) => return Ok(false),
                Some(_) => {
                    self.array.get_or_insert(false);
                    return Ok(true);
                }
            }
        }
        self.ended = true;
        let problem = format!("white space alone in {BETWEEN} bytes: this seems to have no end");
        Err(Error::Malformed { path: self.path.clone(), problem })
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.reader.fill_buf().map_err(Error::io(&self.path))?.first().copied())
    }

    fn consume(&mut self, byte: u8) {
        self.line += usize::from(byte == b'\n');
        self.reader.consume(1);
    }

    /// Number of the value read last, from 1.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// An error about the value read last.
    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        Error::Line { path: self.path.clone(), line: self.line, problem: problem.into() }
    }
}

impl Progress {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            self.in_string = byte != b'"' || self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            return if self.in_string || self.depth > 0 { Step::On } else { Step::Last };
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth == 0 => return Step::Past,
            b'}' | b']' => {
                self.depth -= 1;
                return if self.depth == 0 { Step::Last } else { Step::On };
            }
            _ if self.depth == 0 && (byte == b',' || byte.is_ascii_whitespace()) => {
                return Step::Past;
            }
            _ => {}
        }
        Step::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let mut values = Values::of(reader, Path::new("x.json"));
        std::iter::from_fn(|| match values.next() {
            Ok(value) => value.map(|bytes| String::from_utf8(bytes).unwrap()),
            Err(error) => Some(error.to_string()),
        })
        .collect()
    }

    #[test]
    fn arrays_and_rows_are_cut_into_their_values() {
        assert_eq!(
            values(r#"[{"a": "]}\"{"}, [1, [2]], "x,y" , 3]"#),
            [r#"{"a": "]}\"{"}"#, "[1, [2]]", r#""x,y""#, "3"]
        );
        assert_eq!(
            values("\u{feff}{\"a\":1}\n{\"b\":\"\\\\\"}{}"),
            ["{\"a\":1}", "{\"b\":\"\\\\\"}", "{}"]
        );
        assert!(values(" \n").is_empty() && values("[]").is_empty());
    }

    #[test]
    fn files_that_end_too_early_say_where() {
        assert_eq!(
            values("[1,\n{\"a\": \"b"),
            ["1", "x.json, line 2: the file ends within a value"]
        );
        assert_eq!(values("[1,\n"), ["1", "x.json, line 2: the file ends within its array"]);
    }

    #[test]
    fn a_stray_bracket_ends_the_reading() {
        assert_eq!(values("{} }{}"), ["{}", "x.json, line 1: a value expected, '}' found"]);
    }
}
