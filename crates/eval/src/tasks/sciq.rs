//! Science examination questions with a supporting text.

use super::text::strip_start;
use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Science examination questions with a supporting text.
pub(super) struct SciQ;

impl Task for SciQ {
    fn name(&self) -> &str {
        "sciq"
    }

    fn summary(&self) -> &str {
        "science examination questions with a supporting text (SciQ)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a text that supports the answer and a question, and compares four answers.

When to use it
  Reading comprehension in science; high figures even for small models.

Parameters
  support, question, distractor1, distractor2, distractor3, correct_answer.

Cost
  1,000 questions of some 120 tokens.

Reference
  Welbl et al., Crowdsourcing Multiple Choice Science Questions, 2017.
  Scored as task sciq (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["sciq"]
    }

    fn split(&self) -> &str {
        "test"
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy, Metric::AccuracyNorm]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let context = format!(
            "{}\nQuestion: {}\nAnswer:",
            strip_start(record.text("support")?),
            record.text("question")?
        );
        let names = ["distractor1", "distractor2", "distractor3", "correct_answer"];
        let choices: Vec<&str> = names.iter().map(|n| record.text(n)).collect::<Result<_>>()?;
        Question::choices(record, context, &choices, 3)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_correct_answer_is_the_last_of_four() {
        let fields = json!({
            "question": "Who?", "support": " A text.", "correct_answer": "d",
            "distractor1": "a", "distractor2": "b", "distractor3": "c",
        });
        let asked = question(&SciQ, fields);
        assert_eq!(asked.contexts[0], "A text.\nQuestion: Who?\nAnswer:");
        assert_eq!(
            (asked.continuations, asked.gold),
            ([" a", " b", " c", " d"].map(String::from).into(), 3)
        );
    }

    #[test]
    fn a_missing_distractor_is_named() {
        let fields =
            json!({"question": "Who?", "support": "", "correct_answer": "d", "distractor1": "a"});
        assert!(refusal(&SciQ, fields).contains("no field \"distractor2\""));
    }
}
