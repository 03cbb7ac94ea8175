//! Examination questions of 57 subjects.

use super::text::strip;
use super::{Metric, Question, Sampler, Task};
use crate::Result;
use crate::records::Record;

/// Examination questions of 57 subjects.
pub(super) struct Mmlu;

/// The subjects of every area, as the harness groups them.
const AREAS: &[(&str, &[&str])] = &[
    (
        "stem",
        &[
            "abstract_algebra",
            "anatomy",
            "astronomy",
            "college_biology",
            "college_chemistry",
            "college_computer_science",
            "college_mathematics",
            "college_physics",
            "computer_security",
            "conceptual_physics",
            "electrical_engineering",
            "elementary_mathematics",
            "high_school_biology",
            "high_school_chemistry",
            "high_school_computer_science",
            "high_school_mathematics",
            "high_school_physics",
            "high_school_statistics",
            "machine_learning",
        ],
    ),
    (
        "social_sciences",
        &[
            "econometrics",
            "high_school_geography",
            "high_school_government_and_politics",
            "high_school_macroeconomics",
            "high_school_microeconomics",
            "high_school_psychology",
            "human_sexuality",
            "professional_psychology",
            "public_relations",
            "security_studies",
            "sociology",
            "us_foreign_policy",
        ],
    ),
    (
        "humanities",
        &[
            "formal_logic",
            "high_school_european_history",
            "high_school_us_history",
            "high_school_world_history",
            "international_law",
            "jurisprudence",
            "logical_fallacies",
            "moral_disputes",
            "moral_scenarios",
            "philosophy",
            "prehistory",
            "professional_law",
            "world_religions",
        ],
    ),
    (
        "other",
        &[
            "business_ethics",
            "clinical_knowledge",
            "college_medicine",
            "global_facts",
            "human_aging",
            "management",
            "marketing",
            "medical_genetics",
            "miscellaneous",
            "nutrition",
            "professional_accounting",
            "professional_medicine",
            "virology",
        ],
    ),
];

impl Task for Mmlu {
    fn name(&self) -> &str {
        "mmlu"
    }

    fn summary(&self) -> &str {
        "examination questions of 57 subjects (MMLU)"
    }

    fn explanation(&self) -> &str {
        "\
What it does
  Names the subject, shows a question with answers A to D, and compares the probabilities of the
  four letters. With --shots K, K solved questions of the subject stand before it. The figure is
  the mean over all questions, so that subjects weigh as much as they have questions; its standard
  error is pooled over the subjects.

When to use it
  Knowledge. Models below a billion parameters are near 25 %, which is chance.

Parameters
  question, subject, choices (four texts), answer (0 to 3). mmlu_SUBJECT asks one subject alone,
  mmlu_stem, mmlu_social_sciences, mmlu_humanities and mmlu_other an area. --limit counts per
  subject. The examples come from the file mmlu_dev, the first of each subject.

Cost
  14,042 questions of some 100 tokens, 700 more each with 5 shots; what the questions of a subject
  share runs once.

Reference
  Hendrycks et al., Measuring Massive Multitask Language Understanding, 2020.
  Scored as group mmlu (version 2, tasks of version 1.0) of lm-evaluation-harness."
    }

    fn version(&self) -> u32 {
        2
    }

    fn split(&self) -> &str {
        "test"
    }

    fn sampler(&self) -> Sampler {
        Sampler::First
    }

    fn metrics(&self) -> &[Metric] {
        &[Metric::Accuracy]
    }

    fn question(&self, record: &Record) -> Result<Question> {
        let choices = record.texts("choices")?;
        let [a, b, c, d] = choices[..] else {
            return Err(record.error(format!("choices: 4 expected, {} found", choices.len())));
        };
        let question = strip(record.text("question")?);
        let context = format!("{question}\nA. {a}\nB. {b}\nC. {c}\nD. {d}\nAnswer:");
        let gold = record.label("answer", 4)?;
        let subject = record.text("subject")?.replace('_', " ");
        let header = format!(
            "The following are multiple choice questions (with answers) about {subject}.\n\n"
        );
        Ok(Question { header, ..Question::choices(record, context, &["A", "B", "C", "D"], gold)? })
    }

    fn part(&self, record: &Record) -> Result<Option<String>> {
        let subject = record.text("subject")?;
        match AREAS.iter().any(|(_, subjects)| subjects.contains(&subject)) {
            true => Ok(Some(subject.to_owned())),
            false => Err(record.error(format!("subject: {subject:?} is none of the 57"))),
        }
    }

    fn areas(&self) -> &[(&'static str, &'static [&'static str])] {
        AREAS
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{question, refusal};
    use super::*;
    use crate::records::record;

    #[test]
    fn a_question_stands_under_its_subject_with_lettered_answers() {
        let fields = json!({"question": " What? ", "subject": "college_physics",
            "choices": ["w", "x", "y", "z"], "answer": 3});
        let asked = question(&Mmlu, fields.clone());
        let expected = "The following are multiple choice questions (with answers) about college \
                        physics.\n\n";
        assert_eq!(asked.header, expected);
        assert_eq!(asked.contexts[0], "What?\nA. w\nB. x\nC. y\nD. z\nAnswer:");
        assert_eq!(asked.solved(), "What?\nA. w\nB. x\nC. y\nD. z\nAnswer: D\n\n");
        assert_eq!(Mmlu.part(&record(fields)).unwrap().unwrap(), "college_physics");
    }

    #[test]
    fn there_are_57_subjects_each_in_one_area() {
        let mut subjects: Vec<_> = AREAS.iter().flat_map(|(_, subjects)| *subjects).collect();
        assert_eq!(subjects.len(), 57);
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), 57);
    }

    #[test]
    fn other_numbers_of_choices_and_other_subjects_are_refused() {
        let fields = |choices: &[&str], subject: &str| json!({"question": "q", "subject": subject, "choices": choices, "answer": 0});
        let error = refusal(&Mmlu, fields(&["a", "b"], "anatomy"));
        assert!(error.contains("choices: 4 expected, 2 found"), "{error}");
        let unknown = record(fields(&["a"; 4], "alchemy"));
        assert!(Mmlu.part(&unknown).unwrap_err().to_string().contains("\"alchemy\" is none"));
    }
}
