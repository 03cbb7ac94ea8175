//! Which of two sentences is the cause or the effect of another.

use super::text::{strip, uncapitalised};
use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Which of two sentences is the cause or the effect of another.
pub(super) struct Copa;

impl Task for Copa {
    fn name(&self) -> &str {
        "copa"
    }

    fn summary(&self) -> &str {
        "which of two sentences is the cause or the effect of another (COPA)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Joins a premise to either sentence with because or therefore and compares their probabilities.

When to use it
  Cause and effect; only 100 questions, so one standard error is 4 to 5 points.

Parameters
  premise, question (cause or effect), choice1, choice2, label (0 or 1).

Cost
  100 questions of some 10 tokens.

Reference
  Roemmele et al., Choice of Plausible Alternatives, 2011.
  Scored as task copa (version 1.0) of lm-evaluation-harness, its two spaces included."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["copa"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let connector = match record.named_label("question", &["cause", "effect"])? {
            0 => "because",
            _ => "therefore",
        };
        let premise = strip(record.text("premise")?);
        let premise = premise.char_indices().next_back().map_or("", |(end, _)| &premise[..end]);
        let choice =
            |name: &str| Ok::<_, crate::Error>(format!(" {}", uncapitalised(record.text(name)?)));
        let (first, second) = (choice("choice1")?, choice("choice2")?);
        let context = format!("{premise} {connector}");
        Question::choices(record, context, &[&first, &second], record.label("label", 2)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_premise_goes_on_with_either_sentence() {
        let fields = |kind: &str| {
            json!({"premise": "It rained. ", "choice1": "We stayed.", "choice2": "I ate.",
                "question": kind, "label": 0})
        };
        let asked = question(&Copa, fields("effect"));
        assert_eq!(asked.contexts[0], "It rained therefore");
        assert_eq!(asked.continuations, ["  we stayed.", "  i ate."]);
        assert_eq!(question(&Copa, fields("cause")).contexts[0], "It rained because");
        assert!(refusal(&Copa, fields("reason")).contains("one of cause, effect expected"));
    }
}
