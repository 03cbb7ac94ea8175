//! Tasks from files to figures, with a scorer that knows the answers and with a tiny model.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use std::{fs, path::Path};

use compute::Precision;
use eval::scorer::{Answer, Likelihood, ModelScorer, Scorer};
use eval::tasks::{Asking, DataFiles, Metric, Queries, Query, TASKS, choose};
use eval::{Result, TaskFigures, comparison, flips};
use lm::scoring::{Options, token_log_probabilities};
use lm::{Checkpoint, Model, Silent};
use serde_json::{Value, json};
use testkit::{TinyOptions, tiny_llama};

/// Two records of every task.
fn data(task: &str) -> [Value; 2] {
    let list = json!({"text": ["red", "green", "blue"], "label": ["A", "B", "C"]});
    let key = |i: usize| if i == 0 { "A" } else { "B" };
    let of = |i: usize| match task {
        "boolq" => json!({"passage": "It is wet.", "question": "is it wet", "answer": i == 1}),
        "piqa" => json!({"goal": "open it", "sol1": "Twist it", "sol2": "Eat it", "label": i}),
        "hellaswag" => json!({"activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "he",
            "endings": ["eats", "runs off", "sings", "sits"], "label": i.to_string()}),
        "winogrande" => json!({"sentence": "Ann met Bea and _ smiled.", "option1": "Ann",
            "option2": "Bea", "answer": (i + 1).to_string()}),
        "arc_easy" | "arc_challenge" => json!({"question": "Which colour?", "choices": list,
            "answerKey": key(i)}),
        "openbookqa" => json!({"question_stem": "The sky is", "choices": list,
            "answerKey": key(i)}),
        "sciq" => {
            json!({"support": "", "question": "What?", "distractor1": "a", "distractor2": "b",
            "distractor3": "c", "correct_answer": "d"})
        }
        "rte" => json!({"sentence1": "It rains.", "sentence2": "It is wet.", "label": i}),
        "copa" => json!({"premise": "It rained.", "choice1": "It is wet.", "choice2": "I ate.",
            "question": "effect", "label": i}),
        "lambada_openai" => json!({"text": "the end of the story"}),
        "mmlu" => {
            json!({"question": "What?", "subject": if i == 0 { "anatomy" } else { "virology" },
            "choices": ["a", "b", "c", "d"], "answer": i})
        }
        other => panic!("no records for {other}"),
    };
    [of(0), of(1)]
}

fn read(task: &str, folder: &Path, asking: Asking) -> Result<Queries> {
    let lines: Vec<_> = data(task).iter().map(Value::to_string).collect();
    for ending in ["", "_train"] {
        fs::write(folder.join(format!("{task}{ending}.jsonl")), lines.join("\n")).unwrap();
    }
    let chosen = choose(&[task.to_owned()])?.tasks.remove(0);
    Queries::read(chosen, &DataFiles::open(Some(folder))?, asking)
}

fn queries(task: &str) -> Queries {
    let folder = tempfile::tempdir().unwrap();
    read(task, folder.path(), Asking::default()).unwrap()
}

/// Knows the answer to every question but those whose numbers it is told to get wrong.
struct Mock(Vec<usize>);

impl Scorer for Mock {
    fn score(&self, queries: &[&Query]) -> Result<Vec<Answer>> {
        let answer = |(number, query): (usize, &&Query)| {
            let right = !self.0.contains(&number);
            let choice = |index: usize| {
                let best = (index == query.gold) == right;
                Likelihood { log_likelihood: if best { -1.0 } else { -99.0 }, greedy: best }
            };
            Answer { choices: (0..query.lengths.len()).map(choice).collect(), truncated: 0 }
        };
        Ok(queries.iter().enumerate().map(answer).collect())
    }
}

fn asked(scorer: &dyn Scorer, queries: &Queries) -> TaskFigures {
    let borrowed: Vec<_> = queries.queries.iter().collect();
    TaskFigures::new(queries, scorer.score(&borrowed).unwrap())
}

#[test]
fn every_task_counts_what_is_right() {
    for task in TASKS {
        let queries = queries(task.name());
        for (wrong, expected) in [(vec![], 1.0), (vec![1], 0.5), (vec![0, 1], 0.0)] {
            let found = asked(&Mock(wrong), &queries);
            for figure in found.figures.iter().filter(|f| f.metric != Metric::Perplexity) {
                assert_eq!(figure.estimate.value, expected, "{} {figure:?}", task.name());
            }
        }
    }
}

#[test]
fn perplexity_is_the_exponential_of_the_mean() {
    let found = asked(&Mock(vec![]), &queries("lambada_openai"));
    assert_eq!(found.figures[1].metric, Metric::Perplexity);
    assert!((found.figures[1].estimate.value - 1f64.exp()).abs() < 1e-12);
}

#[test]
fn parts_and_areas_have_figures_of_their_own() {
    let found = asked(&Mock(vec![1]), &queries("mmlu"));
    let parts: Vec<_> = found.parts.iter().map(|p| (p.name.as_str(), p.estimate.value)).collect();
    assert_eq!(parts, [("anatomy", 1.0), ("virology", 0.0)]);
    let areas: Vec<_> = found.areas.iter().map(|a| (a.name.as_str(), a.questions)).collect();
    assert_eq!(areas, [("stem", 1), ("other", 1)]);
}

#[test]
fn two_models_are_compared_question_by_question() {
    let queries = queries("rte");
    let (first, second) = (asked(&Mock(vec![0]), &queries), asked(&Mock(vec![0, 1]), &queries));
    let answers = [&first.answers[..], &second.answers[..]];
    let found = comparison(Metric::Accuracy, &queries, answers);
    assert_eq!((found.difference.value, found.difference.stderr), (-0.5, 0.5));
    assert!(found.interval[0] < -1.4 && found.interval[1] > 0.4, "{found:?}");
    let flipped = flips(Metric::Accuracy, &queries, answers);
    assert_eq!(flipped.len(), 1);
    assert!(flipped[0].place.ends_with("rte.jsonl, line 2") && !flipped[0].gained);
    assert_eq!((flipped[0].gold, flipped[0].picked), (1, [Some(1), Some(0)]));
    let same = comparison(Metric::Accuracy, &queries, [&first.answers, &first.answers]);
    assert_eq!(same.interval, [0.0, 0.0]);
}

#[test]
fn examples_stand_before_every_question_of_every_task() {
    for task in TASKS {
        let folder = tempfile::tempdir().unwrap();
        let plain = read(task.name(), folder.path(), Asking::default()).unwrap();
        let shot =
            read(task.name(), folder.path(), Asking { shots: 1, ..Asking::default() }).unwrap();
        let (plain, shot) = (&plain.queries[0].contexts[0], &shot.queries[0].contexts[0]);
        assert!(shot.len() > plain.len() && shot.contains("\n\n"), "{}: {shot}", task.name());
        let question = plain.rsplit("\n\n").next().unwrap();
        assert!(shot.ends_with(question), "{}: {shot}", task.name());
    }
}

#[test]
fn a_model_answers_as_its_log_probabilities_say() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama(folder.path(), &TinyOptions { context: 512, ..TinyOptions::default() });
    let model = Model::new(Checkpoint::open(folder.path()).unwrap(), Precision::F32).unwrap();
    let scorer = ModelScorer { model: &model, options: &Options::default(), observer: &Silent };
    let tokenizer = &model.checkpoint().tokenizer;
    for task in TASKS {
        let queries = queries(task.name());
        let query = &queries.queries[0];
        let found = &scorer.score(&[query]).unwrap()[0];
        assert_eq!((found.choices.len(), found.truncated), (query.lengths.len(), 0));
        for (index, choice) in found.choices.iter().enumerate() {
            let context = &query.contexts[index];
            let whole = format!("{context}{}", query.continuations[index]);
            let before = tokenizer.encode(context.trim_end(), true).unwrap().len();
            let whole = tokenizer.encode(&whole, true).unwrap();
            let each =
                token_log_probabilities(&model, &[&whole], &Options::default(), &Silent).unwrap();
            let expected: f64 = each[0][before - 1..].iter().sum();
            assert!((choice.log_likelihood - expected).abs() < 1e-9, "{}", task.name());
        }
    }
}

#[test]
fn contexts_too_long_for_the_model_are_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama(folder.path(), &TinyOptions { context: 24, ..TinyOptions::default() });
    let model = Model::new(Checkpoint::open(folder.path()).unwrap(), Precision::F32).unwrap();
    let scorer = ModelScorer { model: &model, options: &Options::default(), observer: &Silent };
    let found = asked(&scorer, &queries("mmlu"));
    assert_eq!(found.truncated, 8);
    let empty = data("piqa")[0].to_string().replace("Eat it", "");
    let tasks = folder.path().join("tasks");
    fs::create_dir(&tasks).unwrap();
    fs::write(tasks.join("piqa.jsonl"), empty).unwrap();
    let chosen = choose(&["piqa".to_owned()]).unwrap().tasks.remove(0);
    let files = DataFiles::open(Some(&tasks)).unwrap();
    let Err(error) = Queries::read(chosen, &files, Asking::default()) else { panic!("read") };
    assert!(error.to_string().contains("piqa.jsonl, line 1: choice 2 of 2 is empty"), "{error}");
}
