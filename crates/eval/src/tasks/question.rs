//! What a task makes of a record.

use crate::Result;
use crate::records::{Place, Record};

/// A question and the answers a model chooses among.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What stands once before the examples and the question.
    pub header: String,
    /// The text before every choice.
    pub contexts: Vec<String>,
    /// What is scored after it, white space between them included.
    pub continuations: Vec<String>,
    /// Characters of every choice, by which acc_norm divides.
    pub lengths: Vec<usize>,
    /// The place of the right choice.
    pub gold: usize,
}

/// A question as a model sees it, examples before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The text before every choice.
    pub contexts: Vec<String>,
    /// What is scored after it.
    pub continuations: Vec<String>,
    /// Characters of every choice.
    pub lengths: Vec<usize>,
    /// The place of the right choice.
    pub gold: usize,
    /// The numbers of the examples before it in their file.
    pub examples: Vec<usize>,
    /// The part of the task it belongs to, where it has parts.
    pub part: Option<String>,
    /// The record it was made of.
    pub place: Place,
}

impl Question {
    /// Choices that follow one context after a space.
    ///
    /// # Errors
    /// When there are fewer than two, or one is empty; the record is named.
    pub fn choices(
        record: &Record,
        context: String,
        choices: &[&str],
        gold: usize,
    ) -> Result<Self> {
        Self::delimited(record, context, " ", choices, gold)
    }

    /// Choices that follow one context after `delimiter`.
    ///
    /// # Errors
    /// As [`Question::choices`].
    pub fn delimited(
        record: &Record,
        context: String,
        delimiter: &str,
        choices: &[&str],
        gold: usize,
    ) -> Result<Self> {
        check(record, choices)?;
        Ok(Self {
            header: String::new(),
            contexts: vec![context; choices.len()],
            continuations: choices.iter().map(|choice| format!("{delimiter}{choice}")).collect(),
            lengths: choices.iter().map(|choice| choice.chars().count()).collect(),
            gold,
        })
    }

    /// Contexts each of which ends with a choice, and the same ending after all of them.
    ///
    /// # Errors
    /// When there are fewer than two, or one is empty, or the ending is; the record is named.
    pub fn filled(
        record: &Record,
        contexts: Vec<String>,
        ending: &str,
        gold: usize,
    ) -> Result<Self> {
        check(record, &contexts.iter().map(String::as_str).collect::<Vec<_>>())?;
        check(record, &[ending; 2])?;
        Ok(Self {
            header: String::new(),
            lengths: contexts.iter().map(|context| context.chars().count()).collect(),
            continuations: vec![format!(" {ending}"); contexts.len()],
            contexts,
            gold,
        })
    }

    /// One continuation that the model either would write or would not.
    pub fn one(context: String, continuation: String) -> Self {
        Self {
            header: String::new(),
            lengths: vec![continuation.chars().count()],
            contexts: vec![context],
            continuations: vec![continuation],
            gold: 0,
        }
    }

    /// The question with its right answer, as an example for others.
    pub fn solved(&self) -> String {
        // as in the harness: a task that begins its answer with a space gets a second one here
        let delimiter = if self.contexts.len() == 1 { " " } else { "" };
        let (context, answer) = (&self.contexts[self.gold], &self.continuations[self.gold]);
        format!("{context}{delimiter}{answer}\n\n")
    }

    /// The question as a model sees it, after the text of the examples with these numbers.
    pub fn query(
        self,
        text: &str,
        examples: Vec<usize>,
        part: Option<String>,
        place: Place,
    ) -> Query {
        let before = self.header + text;
        let contexts = self.contexts.into_iter().map(|context| format!("{before}{context}"));
        Query {
            contexts: contexts.collect(),
            continuations: self.continuations,
            lengths: self.lengths,
            gold: self.gold,
            examples,
            part,
            place,
        }
    }
}

fn check(record: &Record, choices: &[&str]) -> Result<()> {
    if choices.len() < 2 {
        return Err(record.error(format!("two or more choices expected, {} found", choices.len())));
    }
    match choices.iter().position(|choice| choice.trim().is_empty()) {
        Some(index) => {
            Err(record.error(format!("choice {} of {} is empty", index + 1, choices.len())))
        }
        None => Ok(()),
    }
}
