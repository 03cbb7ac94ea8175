//! Elementary science beyond the text of the question.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Elementary science beyond the text of the question.
pub(super) struct OpenBookQa;

impl Task for OpenBookQa {
    fn name(&self) -> &str {
        "openbookqa"
    }

    fn summary(&self) -> &str {
        "elementary science beyond the text of the question (OpenBookQA)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows the beginning of a sentence and compares the probabilities of four ends.

When to use it
  Common knowledge of the elementary kind; acc_norm is the figure that is usually quoted.

Parameters
  question_stem, choices (text, label), answerKey.

Cost
  500 questions of some 15 tokens and four answers of a few.

Reference
  Mihaylov et al., Can a Suit of Armor Conduct Electricity?, 2018.
  Scored as task openbookqa (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["openbookqa"]
    }

    fn split(&self) -> &str {
        "test"
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy, Metric::AccuracyNorm]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let context = record.text("question_stem")?.to_owned();
        let gold = record.named_label("answerKey", &record.texts("choices.label")?)?;
        Question::choices(record, context, &record.texts("choices.text")?, gold)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_stem_alone_is_the_context() {
        let fields = json!({
            "question_stem": "The sun is", "choices": {"text": ["hot", "cold"], "label": ["A", "B"]},
            "answerKey": " A",
        });
        let asked = question(&OpenBookQa, fields);
        assert_eq!((asked.contexts[0].as_str(), asked.gold), ("The sun is", 0));
        assert_eq!(asked.continuations, [" hot", " cold"]);
    }

    #[test]
    fn a_key_without_a_choice_is_refused() {
        let fields = json!({
            "question_stem": "S", "choices": {"text": ["a", "b"], "label": ["A", "B"]},
            "answerKey": "C",
        });
        assert!(refusal(&OpenBookQa, fields).contains("one of A, B expected"));
    }
}
