//! Which of four endings goes on a scene.

use super::text::{capitalised, strip, without_brackets};
use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// Which of four endings goes on a scene.
pub(super) struct HellaSwag;

impl Task for HellaSwag {
    fn name(&self) -> &str {
        "hellaswag"
    }

    fn summary(&self) -> &str {
        "which of four endings goes on a scene (HellaSwag)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows the beginning of a scene and compares the probabilities of four endings.

When to use it
  Common sense about what happens next; acc_norm is the figure that is usually quoted.

Parameters
  activity_label, ctx_a, ctx_b, endings, label; or query, choices and gold where the texts
  are cleaned already.

Cost
  10,042 scenes; each runs once, its four endings after it.

Reference
  Zellers et al., HellaSwag: Can a Machine Really Finish Your Sentence?, 2019.
  Scored as task hellaswag (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["hellaswag"]
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy, Metric::AccuracyNorm]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let (context, choices) = match record.has("query") {
            true => {
                let choices = record.texts("choices")?.into_iter().map(str::to_owned).collect();
                (record.text("query")?.to_owned(), choices)
            }
            false => cleaned(record)?,
        };
        let gold = if record.has("label") { "label" } else { "gold" };
        let gold = record.label(gold, choices.len())?;
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        Question::choices(record, context, &choices, gold)
    }
}

/// The context and the endings as the harness cleans them.
fn cleaned(record: &Record) -> Result<(String, Vec<String>)> {
    let [activity, first, second] =
        [record.text("activity_label")?, record.text("ctx_a")?, record.text("ctx_b")?];
    let context = clean(&format!("{activity}: {first} {}", capitalised(second)));
    Ok((context, record.texts("endings")?.into_iter().map(clean).collect()))
}

/// Without the marks of the site that the texts come from.
fn clean(text: &str) -> String {
    without_brackets(&strip(text).replace(" [title]", ". ")).replace("  ", " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_fields_of_the_hub_are_cleaned() {
        let fields = json!({
            "activity_label": "Cleaning", "ctx_a": "A man [header] stands.", "ctx_b": "he THEN",
            "endings": ["Off [title] runs. [substeps]  off ", "sits"], "label": "1",
        });
        let asked = question(&HellaSwag, fields);
        assert_eq!(asked.contexts[0], "Cleaning: A man stands. He then");
        assert_eq!(asked.continuations, [" Off. runs.  off", " sits"]);
        assert_eq!((asked.gold, &asked.lengths[..]), (1, &[15, 4][..]));
    }

    #[test]
    fn records_that_are_clean_already_stay_as_they_are() {
        let fields = json!({"query": "Q: [x]", "choices": ["a", "b", "c"], "gold": 2});
        let asked = question(&HellaSwag, fields);
        assert_eq!((asked.contexts[2].as_str(), asked.gold), ("Q: [x]", 2));
    }

    #[test]
    fn an_ending_that_is_no_text_is_named() {
        let fields = json!({"query": "Q", "choices": ["a", 7], "label": 0});
        assert!(refusal(&HellaSwag, fields).contains("choices: a list of texts expected"));
    }
}
