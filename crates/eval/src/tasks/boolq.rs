//! Yes-no questions about a passage.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Yes-no questions about a passage.
pub(super) struct BoolQ;

impl Task for BoolQ {
    fn name(&self) -> &str {
        "boolq"
    }

    fn summary(&self) -> &str {
        "yes-no questions about a passage (BoolQ)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a passage and a question and compares the probabilities of no and yes.

When to use it
  Reading comprehension; long contexts. 62 % of the validation set are yes, so a model that
  always says yes has 62 %.

Parameters
  passage, question, and answer (true or false) or label (0 or 1).

Cost
  3,270 questions of some 150 tokens; one run each, whatever the number of answers.

Reference
  Clark et al., BoolQ: Exploring the Surprising Difficulty of Natural Yes/No Questions, 2019.
  Scored as task boolq (version 2.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        2
    }

    fn files(&self) -> Vec<&str> {
        vec!["boolq"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let context = format!(
            "{}\nQuestion: {}?\nAnswer:",
            record.text("passage")?,
            record.text("question")?
        );
        let gold = match record.has("label") {
            true => record.label("label", 2)?,
            false => usize::from(record.truth("answer")?),
        };
        Question::choices(record, context, &["no", "yes"], gold)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn a_passage_and_a_question_ask_for_no_or_yes() {
        let fields = json!({"passage": "P.", "question": "is it", "answer": true});
        let asked = question(&BoolQ, fields);
        assert_eq!(asked.contexts[0], "P.\nQuestion: is it?\nAnswer:");
        assert_eq!((asked.continuations, asked.gold), (vec![" no".into(), " yes".into()], 1));
        let fields = json!({"passage": "P.", "question": "is it", "label": 0});
        assert_eq!(question(&BoolQ, fields).gold, 0);
    }

    #[test]
    fn a_missing_answer_is_named() {
        let error = refusal(&BoolQ, json!({"passage": "P.", "question": "is it"}));
        assert!(error.contains("no field \"answer\""), "{error}");
    }
}
