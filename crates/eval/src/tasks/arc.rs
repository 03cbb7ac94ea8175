//! Science examination questions, in two sets.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// The questions that word statistics answer as well.
pub(super) struct ArcEasy;

/// The questions that word statistics get wrong.
pub(super) struct ArcChallenge;

const BOTH: &[Metric] = &[Metric::Accuracy, Metric::AccuracyNorm];

/// Both sets have the same fields and are asked in the same way.
fn question(record: &Record) -> Result<Question> {
    let context = format!("Question: {}\nAnswer:", record.text("question")?);
    let gold = record.named_label("answerKey", &record.texts("choices.label")?)?;
    Question::choices(record, context, &record.texts("choices.text")?, gold)
}

impl Task for ArcEasy {
    fn name(&self) -> &str {
        "arc_easy"
    }

    fn summary(&self) -> &str {
        "science examination questions that word statistics answer too (ARC easy set)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a question and compares the probabilities of (mostly) four answers.

When to use it
  Knowledge of school science. The hub's test split has 2,376 questions, its validation split 570.

Parameters
  question, choices (text, label), answerKey.

Cost
  Questions of some 30 tokens; each runs once, its answers after it.

Reference
  Clark et al., Think you have Solved Question Answering? Try ARC, 2018.
  Scored as task arc_easy (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["arc_easy", "ARC-Easy"]
    }

    fn split(&self) -> &str {
        "test"
    }

    fn metrics(&self) -> &[Metric] {
        BOTH
    }

    fn question(&self, record: &Record) -> Result<Question> {
        question(record)
    }
}

impl Task for ArcChallenge {
    fn name(&self) -> &str {
        "arc_challenge"
    }

    fn summary(&self) -> &str {
        "science examination questions that word statistics get wrong (ARC challenge set)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a question and compares the probabilities of (mostly) four answers.

When to use it
  Knowledge of school science and a little reasoning; acc_norm is the figure that is usually
  quoted. The hub's test split has 1,172 questions, its validation split 299.

Parameters
  question, choices (text, label), answerKey.

Cost
  Questions of some 35 tokens; each runs once, its answers after it.

Reference
  Clark et al., Think you have Solved Question Answering? Try ARC, 2018.
  Scored as task arc_challenge (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["arc_challenge", "ARC-Challenge"]
    }

    fn split(&self) -> &str {
        "test"
    }

    fn metrics(&self) -> &[Metric] {
        BOTH
    }

    fn question(&self, record: &Record) -> Result<Question> {
        question(record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_key_is_looked_up_among_the_labels() {
        let fields = json!({
            "question": "Which?", "choices": {"text": ["a", "bc", "d"], "label": ["1", "2", "3"]},
            "answerKey": "2",
        });
        let asked = question(&ArcEasy, fields.clone());
        assert_eq!(asked.contexts[0], "Question: Which?\nAnswer:");
        assert_eq!((&asked.lengths[..], asked.gold), (&[1, 2, 1][..], 1));
        assert_eq!(asked, question(&ArcChallenge, fields));
    }

    #[test]
    fn questions_without_choices_are_refused() {
        let fields = json!({
            "question": "Which?", "choices": {"text": ["a"], "label": ["A"]}, "answerKey": "A",
        });
        assert!(refusal(&ArcEasy, fields).contains("two or more choices expected, 1 found"));
        let fields = json!({"question": "Which?", "choices": ["a", "b"], "answerKey": "A"});
        assert!(refusal(&ArcChallenge, fields).contains("no field \"choices.label\""));
    }
}
