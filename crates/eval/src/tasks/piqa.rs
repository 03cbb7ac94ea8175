//! Everyday physics: which of two ways reaches a goal.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Everyday physics: which of two ways reaches a goal.
pub(super) struct Piqa;

impl Task for Piqa {
    fn name(&self) -> &str {
        "piqa"
    }

    fn summary(&self) -> &str {
        "everyday physics: which of two ways reaches a goal (PIQA)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a goal and compares the probabilities of two ways to reach it.

When to use it
  Common sense about things and materials.

Parameters
  goal, sol1, sol2, label (0 or 1).

Cost
  1,838 questions; the goal runs once, both ways after it.

Reference
  Bisk et al., PIQA: Reasoning about Physical Commonsense in Natural Language, 2019.
  Scored as task piqa (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["piqa"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy, Metric::AccuracyNorm]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let context = format!("Question: {}\nAnswer:", record.text("goal")?);
        let choices = [record.text("sol1")?, record.text("sol2")?];
        Question::choices(record, context, &choices, record.label("label", 2)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn a_goal_asks_for_one_of_two_ways() {
        let fields = json!({"goal": "open a jar", "sol1": "Twist", "sol2": "Wait", "label": 1});
        let asked = question(&Piqa, fields);
        assert_eq!(asked.contexts[1], "Question: open a jar\nAnswer:");
        assert_eq!((asked.continuations, asked.gold), (vec![" Twist".into(), " Wait".into()], 1));
        assert_eq!(asked.lengths, [5, 4]);
    }

    #[test]
    fn an_empty_way_and_a_wrong_label_are_refused() {
        let fields = |sol2: &str, label: i32| json!({"goal": "open a jar", "sol1": "Twist", "sol2": sol2, "label": label});
        assert!(refusal(&Piqa, fields("", 0)).contains("choice 2 of 2 is empty"));
        assert!(refusal(&Piqa, fields("Wait", 2)).contains("label: 0 to 1 expected, 2 found"));
    }
}
