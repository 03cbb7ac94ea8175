//! Which of two nouns fills a gap.

use super::text::strip;
use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Which of two nouns fills a gap.
pub(super) struct WinoGrande;

impl Task for WinoGrande {
    fn name(&self) -> &str {
        "winogrande"
    }

    fn summary(&self) -> &str {
        "which of two nouns fills a gap (WinoGrande)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Fills the gap of a sentence with either noun and compares the probabilities of what follows it.

When to use it
  Common sense about who or what is meant. Both classes are equally frequent.

Parameters
  sentence, option1, option2, answer (1 or 2).

Cost
  1,267 sentences of some 30 tokens, twice from the gap on.

Reference
  Sakaguchi et al., WinoGrande: An Adversarial Winograd Schema Challenge at Scale, 2019.
  Scored as task winogrande (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["winogrande", "winogrande_xl"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let sentence = record.text("sentence")?;
        let (before, after) = sentence
            .split_once('_')
            .ok_or_else(|| record.error("sentence: a gap, written _, expected, none found"))?;
        let filled =
            |option: &str| Ok::<_, crate::Error>(format!("{before}{}", record.text(option)?));
        let contexts = vec![filled("option1")?, filled("option2")?];
        let gold = record.named_label("answer", &["1", "2"])?;
        Question::filled(record, contexts, strip(after), gold)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn what_follows_the_gap_is_scored_after_both_options() {
        let fields = json!({
            "sentence": "Ann beat Bea so _ was glad.", "option1": "Ann", "option2": "Bea",
            "answer": "1",
        });
        let asked = question(&WinoGrande, fields);
        assert_eq!(asked.contexts, ["Ann beat Bea so Ann", "Ann beat Bea so Bea"]);
        assert_eq!((asked.continuations, asked.gold), (vec![" was glad.".to_owned(); 2], 0));
    }

    #[test]
    fn sentences_without_a_gap_or_an_answer_are_refused() {
        let fields = |sentence: &str, answer: &str| json!({"sentence": sentence, "option1": "a", "option2": "b", "answer": answer});
        assert!(refusal(&WinoGrande, fields("no gap", "1")).contains("a gap"));
        assert!(refusal(&WinoGrande, fields("a _ b", "3")).contains("one of 1, 2 expected"));
        assert!(refusal(&WinoGrande, fields("a _ ", "1")).contains("empty"));
    }
}
