//! The last word of a passage.

use super::{Metric, Question, Task};
use crate::Result;
use crate::records::Record;

/// The last word of a passage.
pub(super) struct Lambada;

impl Task for Lambada {
    fn name(&self) -> &str {
        "lambada_openai"
    }

    fn summary(&self) -> &str {
        "the last word of a passage (LAMBADA, the text as OpenAI cleaned it)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Shows a passage without its last word. acc: whether the model would write that word, token by
  token; perplexity: exp of the mean negative log-likelihood of the words.

When to use it
  Long-range reading; falls early when a model is pruned.

Parameters
  text.

Cost
  5,153 passages of some 80 tokens, one run each.

Reference
  Paperno et al., The LAMBADA dataset: Word prediction requiring a broad discourse context, 2016.
  Scored as task lambada_openai (version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        1
    }

    fn files(&self) -> Vec<&str> {
        vec!["lambada_openai", "lambada"]
    }

    fn split(&self) -> &str {
        "test"
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy, Metric::Perplexity]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let text = record.text("text")?;
        let (context, word) = text.rsplit_once(' ').unwrap_or(("", text));
        match word.is_empty() {
            true => Err(record.error("text: a word at its end expected, a space found")),
            false => Ok(Question::one(context.to_owned(), format!(" {word}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;

    #[test]
    fn the_last_word_is_scored_with_the_space_before_it() {
        let asked = question(&Lambada, json!({"text": "He gave it to Ann"}));
        assert_eq!(
            (&asked.contexts[0][..], &asked.continuations[0][..]),
            ("He gave it to", " Ann")
        );
        assert_eq!(asked.solved(), "He gave it to  Ann\n\n");
        assert_eq!(question(&Lambada, json!({"text": "Ann"})).contexts[0], "");
        assert!(refusal(&Lambada, json!({"text": "Ann "})).contains("a word at its end"));
    }
}
