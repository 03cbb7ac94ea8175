//! Whether one sentence follows from another.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Whether one sentence follows from another.
pub(super) struct Rte;

impl Task for Rte {
    fn name(&self) -> &str {
        "rte"
    }

    fn summary(&self) -> &str {
        "whether one sentence follows from another (RTE of GLUE)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a premise and a hypothesis and compares the probabilities of True and False.

When to use it
  Entailment; only 277 questions, so one standard error is 3 points.

Parameters
  sentence1, sentence2 (or premise, hypothesis), label (0 true, 1 false).

Cost
  277 questions of some 80 tokens, one run each.

Reference
  Wang et al., GLUE: A Multi-Task Benchmark for Natural Language Understanding, 2018.
  Scored as task rte (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["rte"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let (premise, hypothesis) = match record.has("premise") {
            true => ("premise", "hypothesis"),
            false => ("sentence1", "sentence2"),
        };
        let context = format!(
            "{}\nQuestion: {} True or False?\nAnswer:",
            record.text(premise)?,
            record.text(hypothesis)?
        );
        Question::choices(record, context, &["True", "False"], record.label("label", 2)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn both_names_of_the_fields_ask_the_same() {
        let glue = json!({"sentence1": "A.", "sentence2": "B.", "label": 1});
        let super_glue = json!({"premise": "A.", "hypothesis": "B.", "label": 1});
        let asked = question(&Rte, glue);
        assert_eq!(asked.contexts[0], "A.\nQuestion: B. True or False?\nAnswer:");
        assert_eq!(
            (&asked.continuations[..], asked.gold),
            (&[" True".into(), " False".into()][..], 1)
        );
        assert_eq!(asked, question(&Rte, super_glue));
    }

    #[test]
    fn a_test_split_without_labels_is_refused() {
        let error = refusal(&Rte, json!({"sentence1": "A.", "sentence2": "B.", "label": -1}));
        assert!(error.contains("test splits have no labels"), "{error}");
    }
}
